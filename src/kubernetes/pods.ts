import type { ClusterPod } from "../drain/cluster.ts";
import type { JointEviction } from "../drain/eviction.ts";
import type { GatedPod } from "../drain/eviction-gate.ts";
import type { Pod } from "./objects.ts";

/** The kubelet runs it from a file: the API server has but a mirror of it. https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/ */
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ */
const GRACE_DEFAULT_SECONDS = 30;

/** `namespace/name` */
export function podName({ metadata = {} }: Pod): string {
  return `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
}

/** The fields of a pod that a drain goes by. */
export function clusterPod(pod: Pod): ClusterPod {
  const { spec, status } = pod;
  const { podIPs = [], podIP } = status ?? {};
  const own = (podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : [podIP]).filter((ip) => ip !== undefined);
  return {
    name: podName(pod),
    uid: uidOf(pod),
    addresses: spec?.hostNetwork === true ? [] : own.filter((ip) => ip !== ""),
    isLeaving: isTerminating(pod) || isFinished(pod),
    isBound: isBoundToNode(pod),
  };
}

/** The fields of a pod that the eviction gate goes by. */
export function gatedPod(pod: Pod): GatedPod {
  const { nodeName: node = "" } = pod.spec ?? {};
  return {
    uid: uidOf(pod),
    ...(node !== "" && { node }),
    isExempt: isBoundToNode(pod) || isFinished(pod) || isTerminating(pod),
    graceMs: graceSeconds(pod, {}) * 1_000,
  };
}

export function uidOf({ metadata }: Pod): string {
  return metadata?.uid ?? "";
}

/** Its containers have ended for good. */
function isFinished({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

export function isTerminating({ metadata }: Pod): boolean {
  return metadata?.deletionTimestamp !== undefined;
}

/** Nothing takes it from the node but the end of the machine: a pod of a DaemonSet would be made again at once. */
function isBoundToNode(pod: Pod): boolean {
  if (Object.hasOwn(pod.metadata?.annotations ?? {}, MIRROR_ANNOTATION)) return true;
  return controllerOf(pod)?.kind === "DaemonSet" && !isFinished(pod);
}

function controllerOf({ metadata }: Pod) {
  return metadata?.ownerReferences?.find(({ controller }) => controller === true);
}

/** How long it has to end, in seconds. */
export function graceSeconds({ spec }: Pod, { gracePeriodSeconds }: Pick<JointEviction, "gracePeriodSeconds">): number {
  return gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? GRACE_DEFAULT_SECONDS;
}

/** Those that an eviction takes, the ones with the longest time to end first. */
export function evictable(pods: readonly Pod[], options: JointEviction): readonly Pod[] {
  return pods.filter((pod) => !isBoundToNode(pod)).sort((a, b) => graceSeconds(b, options) - graceSeconds(a, options));
}

/** Why `pods` may not be evicted by these options, in a sentence. Undefined: they may. As `kubectl drain` has it, finished pods may. */
export function obstacleTo(pods: readonly Pod[], options: JointEviction): string | undefined {
  const live = pods.filter((pod) => !isFinished(pod) && !isTerminating(pod));
  const withData = live.filter(({ spec }) => spec?.volumes?.some(({ emptyDir }) => emptyDir !== undefined));
  const unmanaged = live.filter((pod) => controllerOf(pod) === undefined);
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

function named(pods: readonly Pod[]): string {
  const names = pods.slice(0, NAMED_MAX).map(podName).join(", ");
  return pods.length > NAMED_MAX ? `${names} and ${pods.length - NAMED_MAX} more` : names;
}
