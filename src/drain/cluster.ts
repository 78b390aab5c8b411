import type { Node } from "./cloud-provider.ts";
import type { JointEviction, PlannedEviction } from "./eviction.ts";
import type { EvictionStep } from "./steps.ts";

/**
 * Keeps a node out of the load balancers of every controller. The value is `true`, because controllers differ about
 * other values.
 * https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-exclude-from-external-load-balancers
 */
export const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

/** cluster-autoscaler sets it, with the seconds since the epoch as its value, before it removes a node. */
export const AUTOSCALER_TAINT = "ToBeDeletedByClusterAutoscaler";

/**
 * The value of that taint when `Cluster.taint` has set it. Nothing else in a taint says who has set it.
 * cluster-autoscaler ignores a value that is not a time.
 */
export const OWN_TAINT_VALUE = "hasta-la-vista";

/** How the cluster finds a machine: by its instance id, or by the name of its Node object. */
export type ClusterMember = Pick<Node, "id" | "name">;

/**
 * What the core needs from Kubernetes. Implementations: Kubernetes, and one in memory in the tests. Without a
 * configured cluster, the drainer has none.
 *
 * Every method throws `DrainError`, and is safe to repeat. A machine that has no Node object in the cluster is not an
 * error.
 */
export interface Cluster {
  /**
   * Marks the node, so that the cluster's controllers deregister it and do not register it again. Resolves when the API
   * server has acknowledged that, with the name of the Node object. Undefined: there is none.
   */
  exclude(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Makes the health checks fail that the node's kube-proxy answers: it reports that the node goes away while the node
   * has cluster-autoscaler's taint. An existing taint of that kind is sufficient, and is not changed. Resolves as
   * `exclude` does.
   */
  taint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /** Removes the taint of `taint`. Resolves as `exclude` does. */
  untaint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Removes the mark of `exclude`, the taint of `taint` and the cordon of `evict`. What another program has set is not
   * changed. Resolves as `exclude` does.
   */
  include(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Makes the node schedulable, even if another program has cordoned it, as `kubectl uncordon` does. Resolves as
   * `exclude` does.
   */
  uncordon(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /**
   * The node is drained: removes what this program has set to delay the machine's termination. Returns at once, and the
   * implementation retries until it is done.
   */
  release(node: ClusterMember): void;

  /**
   * The pods on the node, by their `spec.nodeName`, no matter which network gives them their addresses. Bound pods
   * without an address may be missing.
   */
  podsOf(node: ClusterMember, read: PodsRead, signal: AbortSignal): Promise<readonly ClusterPod[]>;

  /** What `evict` would do. Throws `not-evicted` if the options do not allow it. `evict` would do nothing then. */
  planEviction(node: ClusterMember, options: JointEviction, signal: AbortSignal): Promise<PlannedEviction>;

  /**
   * Cordons the node and evicts its pods, those with the longest grace period first. Resolves when all are gone. Pods
   * of DaemonSets and mirror pods stay: they end with the machine. Temporary failures are retried until `signal`
   * aborts. Throws `not-evicted` if pods can't be evicted, after the others are gone.
   */
  evict(
    node: ClusterMember,
    options: JointEviction,
    onEvent: (step: EvictionStep) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/**
 * The fields of a Node object that are read:
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/
 */
export interface ClusterNode {
  readonly name: string;
  readonly uid: string;
  /** `spec.providerID`. Absent: the cloud's controller has not set it yet, or never will. */
  readonly providerId?: string;
  /** The EC2 instance that it names. Absent: the node is not an EC2 instance, or is not known to be one yet. */
  readonly instanceId?: string;
  /** The annotations of this program, and those that delay a deletion. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Only `EXCLUDE_LABEL`. */
  readonly labels: Readonly<Record<string, string>>;
  /** The taints of other programs, without the one that `Cluster.taint` sets. */
  readonly taints: readonly NodeTaint[];
  /** Whether it is cordoned. */
  readonly isUnschedulable: boolean;
  /** The status of the condition Ready: `True`, `False` or `Unknown`. Absent: it has none yet. */
  readonly ready?: string;
  /** When that condition was set, in milliseconds since the epoch. */
  readonly readySince?: number;
  /**
   * When its deletion was requested, in milliseconds since the epoch. A finalizer retains it. Absent: it was not
   * requested.
   */
  readonly deletedAt?: number;
  /** The NodeClaim that owns it. Karpenter has created it. */
  readonly claim?: string;
}

/**
 * - `now`: as it is now, to one or two seconds.
 * - `again`: the caller asks repeatedly, and may learn of a change some seconds late.
 */
export type PodsRead = "now" | "again";

/**
 * The fields of a pod that are read: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
 */
export interface ClusterPod {
  /** `namespace/name` */
  readonly name: string;
  readonly uid: string;
  /** Its own addresses. Empty for a pod in the node's network (`hostNetwork`), whose targets are the node's. */
  readonly addresses: readonly string[];
  /** It is terminating, or its containers have ended. No controller registers it again. */
  readonly isLeaving: boolean;
  /** No eviction applies to it, because it belongs to a DaemonSet or is a mirror pod. */
  readonly isBound: boolean;
  /** Since when all its containers are ready, in milliseconds since the epoch. Controllers register it from then on. */
  readonly readySince?: number;
}

/** What announces a departure in a Node object, by the names of the option NODE_TRIGGERS. */
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

/** A Node object as it is now, or the uid of one that was deleted. */
export type NodeChange = { readonly node: ClusterNode } | { readonly gone: string };

/**
 * https://github.com/kubernetes/cloud-provider-aws: `aws:///eu-west-1a/i-0123456789abcdef0`. The zone may be missing.
 */
const PROVIDER_ID = /^aws:\/\/(?:\/[^/]*)?\/(i-(?:[0-9a-f]{8}|[0-9a-f]{17}))$/;

/** The instance that a Node object's `spec.providerID` names. Undefined: it does not name an EC2 instance. */
export function instanceIdOf(providerId: string | undefined): string | undefined {
  return PROVIDER_ID.exec(providerId ?? "")?.[1];
}
