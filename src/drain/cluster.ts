import type { Node } from "./cloud-provider.ts";
import type { JointEviction, PlannedEviction } from "./eviction.ts";
import type { EvictionStep } from "./steps.ts";

/**
 * Keeps a node out of the load balancers of every controller. The value is `true`: of any other value controllers differ.
 * https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-exclude-from-external-load-balancers
 */
export const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

/** cluster-autoscaler sets it, with the seconds since the epoch as its value, before it removes a node. */
export const AUTOSCALER_TAINT = "ToBeDeletedByClusterAutoscaler";

/**
 * The value of that taint where `Cluster.taint` has set it: nothing else of a taint says who has set it.
 * cluster-autoscaler ignores a value that is no time.
 */
export const OWN_TAINT_VALUE = "hasta-la-vista";

/** A machine as the cluster finds it: by its instance id, or by the name of its Node object. */
export type ClusterMember = Pick<Node, "id" | "name">;

/**
 * What the core needs from Kubernetes. Implementations: Kubernetes, and one in memory in the tests. Where there is none, the
 * drainer has no cluster.
 *
 * Every method throws `DrainError`, and is safe to repeat. A machine that has no Node object in the cluster is not an error.
 */
export interface Cluster {
  /**
   * Marks the node, so that the cluster's controllers take it out of load balancers and do not register it again. Resolves
   * once the cluster has acknowledged that, with the name of the Node object; undefined where there is none.
   */
  exclude(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Makes the health checks fail that ask the node's kube-proxy: it answers that the node goes away while the node has
   * cluster-autoscaler's taint. One that is there already is as good, and stays. Resolves as `exclude` does.
   */
  taint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /** Takes the taint of `taint` back. Resolves as `exclude` does. */
  untaint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Takes the mark of `exclude`, the taint of `taint` and the cordon of `evict` back. What another program has set stays.
   * Resolves as `exclude` does.
   */
  include(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Makes the node schedulable, also where another program has cordoned it: what `kubectl uncordon` does. Resolves as
   * `exclude` does.
   */
  uncordon(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * The node is drained: what this program has put there to delay the machine's termination is taken away. Returns at
   * once; the implementation repeats it until it is done.
   */
  release(node: ClusterMember): void;

  /**
   * The pods on the node: by their `spec.nodeName`, whatever network gives them their addresses. Bound pods without an address
   * may be left out.
   */
  podsOf(node: ClusterMember, read: PodsRead, signal: AbortSignal): Promise<readonly ClusterPod[]>;

  /** What `evict` would do. Throws `not-evicted` where the options don't allow it: `evict` would do nothing then. */
  planEviction(node: ClusterMember, options: JointEviction, signal: AbortSignal): Promise<PlannedEviction>;

  /**
   * Cordons the node and evicts its pods, those with the longest time to end first. Resolves once all are gone. Pods of
   * DaemonSets and mirror pods stay: they end with the machine. What fails in passing is repeated until `signal` aborts.
   * Throws `not-evicted` where pods can't be evicted, after the others are gone.
   */
  evict(
    node: ClusterMember,
    options: JointEviction,
    onEvent: (step: EvictionStep) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** What is read of a Node object: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/ */
export interface ClusterNode {
  readonly name: string;
  readonly uid: string;
  /** `spec.providerID`. Absent: the cloud's controller has not set it, or never will. */
  readonly providerId?: string;
  /** The EC2 instance that it names. Absent: it is none, or not known to be one yet. */
  readonly instanceId?: string;
  /** The annotations of this program, and those that delay a deletion. */
  readonly annotations: Readonly<Record<string, string>>;
  /** `EXCLUDE_LABEL` alone. */
  readonly labels: Readonly<Record<string, string>>;
  /** Those of other programs: without the one that `Cluster.taint` sets. */
  readonly taints: readonly NodeTaint[];
  /** It was cordoned. */
  readonly isUnschedulable: boolean;
  /** The status of the condition Ready: `True`, `False` or `Unknown`. Absent: it has none yet. */
  readonly ready?: string;
  /** When that was set, in milliseconds since the epoch. */
  readonly readySince?: number;
  /** When its deletion was requested, in milliseconds since the epoch: a finalizer retains it. Absent: it was not. */
  readonly deletedAt?: number;
  /** The NodeClaim that owns it: Karpenter has made it. */
  readonly claim?: string;
}

/**
 * - `now`: as they are, to one or two seconds.
 * - `again`: the caller asks again and again, and may learn of a change some seconds late.
 */
export type PodsRead = "now" | "again";

/** What is read of a pod: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
export interface ClusterPod {
  /** `namespace/name` */
  readonly name: string;
  readonly uid: string;
  /** Its own. Empty of a pod in the node's network (`hostNetwork`): its targets are the node's. */
  readonly addresses: readonly string[];
  /** It is terminating, or its containers have ended: no controller registers it again. */
  readonly isLeaving: boolean;
  /** No eviction takes it: it is of a DaemonSet, or a mirror pod. */
  readonly isBound: boolean;
}

/** What of a Node object announces a departure, as the option NODE_TRIGGERS names it. */
export const NODE_TRIGGERS = [
  "autoscaler",
  "karpenter",
  "deletion",
  "annotation",
  "cordon",
  "not-ready",
  "taint",
] as const;
export type NodeTrigger = (typeof NODE_TRIGGERS)[number];

interface NodeTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** A Node object as it is now, or the uid of one that is no more. */
export type NodeChange = { readonly node: ClusterNode } | { readonly gone: string };

/** https://github.com/kubernetes/cloud-provider-aws: `aws:///eu-west-1a/i-0123456789abcdef0`, the zone may be missing. */
const PROVIDER_ID = /^aws:\/\/(?:\/[^/]*)?\/(i-(?:[0-9a-f]{8}|[0-9a-f]{17}))$/;

/** The instance that a Node object's `spec.providerID` names; undefined where it is no EC2 instance's. */
export function instanceIdOf(providerId: string | undefined): string | undefined {
  return PROVIDER_ID.exec(providerId ?? "")?.[1];
}
