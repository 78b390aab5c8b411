import type { ClusterPod } from "../drain/cluster.ts";
import type { JointEviction } from "../drain/eviction.ts";
import type { GatedPod } from "../drain/eviction-gate.ts";
import type { Pod } from "./objects.ts";

/**
 * The kubelet runs the pod from a file, and the API server has only a mirror of it.
 * https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/
 */
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ */
const GRACE_DEFAULT_SECONDS = 30;

/** What is kept of a pod on a node: the fields that identify its targets and decide about its eviction. */
export interface NodePod extends ClusterPod {
  readonly node: string;
  /** Its grace period, in seconds. */
  readonly graceSeconds: number;
  readonly isTerminating: boolean;
  /** It has an `emptyDir` volume. */
  readonly hasData: boolean;
  /** A controller creates it again on another node. */
  readonly isManaged: boolean;
}

/**
 * Undefined: it is on no node yet, or is neither a target nor evicted, such as an agent in the network of its node.
 */
export function nodePod(pod: Pod): NodePod | undefined {
  const known = read(pod);
  return known.node === "" || (known.isBound && known.addresses.length === 0) ? undefined : known;
}

/** The name of its node is empty before it is scheduled. */
function read({ metadata = {}, spec, status }: Pod): NodePod {
  const { nodeName = "", hostNetwork, terminationGracePeriodSeconds, volumes } = spec ?? {};
  const { podIPs = [], podIP, phase, conditions } = status ?? {};
  const own = (podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : [podIP]).filter((ip) => ip !== undefined);
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true);
  const isTerminating = metadata.deletionTimestamp !== undefined;
  // Its containers have ended permanently.
  const isFinished = phase === "Succeeded" || phase === "Failed";
  // "Ready" follows only when the load balancer sends traffic, where the pod has a readiness gate for it.
  const ready = conditions?.find(({ type, status }) => type === "ContainersReady" && status === "True");
  const readySince = Date.parse(`${ready?.lastTransitionTime ?? ""}`);
  const isMirror = Object.hasOwn(metadata.annotations ?? {}, MIRROR_ANNOTATION);
  return {
    node: nodeName,
    name: `${metadata.namespace ?? ""}/${metadata.name ?? ""}`,
    uid: metadata.uid ?? "",
    // The API keeps the address of a finished pod, which another pod may have now.
    addresses: hostNetwork === true || isFinished ? [] : own.filter((ip) => ip !== ""),
    isLeaving: isTerminating || isFinished,
    isBound: isMirror || (controller?.kind === "DaemonSet" && !isFinished),
    isTerminating,
    graceSeconds: terminationGracePeriodSeconds ?? GRACE_DEFAULT_SECONDS,
    hasData: volumes?.some(({ emptyDir }) => emptyDir !== undefined) ?? false,
    isManaged: controller !== undefined,
    ...(Number.isFinite(readySince) && { readySince }),
  };
}

/** The fields of a pod that the eviction gate uses. */
export function gatedPod(pod: Pod): GatedPod {
  const { uid, node, isBound, isLeaving, graceSeconds } = read(pod);
  return { uid, ...(node !== "" && { node }), isExempt: isBound || isLeaving, graceMs: graceSeconds * 1_000 };
}

/** The grace period of a pod with these options, in seconds. */
export function graceOf(pod: NodePod, { gracePeriodSeconds }: Pick<JointEviction, "gracePeriodSeconds">): number {
  return gracePeriodSeconds ?? pod.graceSeconds;
}

/** The pods that an eviction applies to, those with the longest grace period first. */
export function evictable(pods: readonly NodePod[], options: JointEviction): readonly NodePod[] {
  return pods.filter(({ isBound }) => !isBound).sort((a, b) => graceOf(b, options) - graceOf(a, options));
}

/**
 * Why these options do not allow to evict `pods`, in a sentence. Undefined: they allow it. As with `kubectl drain`,
 * finished pods may always be evicted.
 */
export function obstacleTo(pods: readonly NodePod[], options: JointEviction): string | undefined {
  const live = pods.filter(({ isLeaving }) => !isLeaving);
  const withData = live.filter(({ hasData }) => hasData);
  const unmanaged = live.filter(({ isManaged }) => !isManaged);
  const sentences = [
    ...(options.deletesEmptyDirData === true || withData.length === 0
      ? []
      : [`the data in emptyDir volumes of ${named(withData)} would be lost: give --delete-emptydir-data to allow it`]),
    ...(options.evictsUnmanaged === true || unmanaged.length === 0
      ? []
      : [
          `no controller would make ${named(unmanaged)} again elsewhere: give --evict-unmanaged to evict pods without a controller`,
        ]),
  ];
  return sentences.length === 0 ? undefined : sentences.join("; ");
}

const NAMED_MAX = 5;

function named(pods: readonly NodePod[]): string {
  const names = pods
    .slice(0, NAMED_MAX)
    .map(({ name }) => name)
    .join(", ");
  return pods.length > NAMED_MAX ? `${names} and ${pods.length - NAMED_MAX} more` : names;
}
