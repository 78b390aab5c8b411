import { DrainError } from "./errors.ts";

/** At most this many remaining pods are named. */
const SHOWN_MAX = 5;

/** Longer grace periods are refused, in seconds. */
export const GRACE_SECONDS_MAX = 86_400;
/** Longer label selectors are refused. */
export const SELECTOR_CHARACTERS_MAX = 1_000;

/**
 * The label of evictions that this program makes. The eviction gate lets them pass.
 * https://kubernetes.io/docs/reference/labels-annotations-taints/#app-kubernetes-io-managed-by
 */
export const OWN_EVICTION = { label: "app.kubernetes.io/managed-by", value: "hasta-la-vista" } as const;

/** How the pods of a node are evicted. `kubectl drain` has options of the same names. */
export interface EvictionOptions {
  /** The grace period of each pod, in seconds. Absent: the pod's own. */
  readonly gracePeriodSeconds?: number;
  /** Only pods with these labels: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors. Absent: all. */
  readonly podSelector?: string;
  /**
   * Pods with `emptyDir` volumes are evicted, and the data in them is lost. Absent: if there is such a pod, nothing is
   * evicted.
   */
  readonly deletesEmptyDirData?: true;
  /**
   * Pods without a controller are evicted, and no controller creates them again. Absent: if there is such a pod,
   * nothing is evicted.
   */
  readonly evictsUnmanaged?: true;
  /** Pods are deleted regardless of their disruption budgets. Absent: they are evicted. */
  readonly disablesEviction?: true;
}

/** For a machine that goes in any case, with its pods. */
export const EVICT_ALL: EvictionOptions = { deletesEmptyDirData: true, evictsUnmanaged: true };

/** All requests for an eviction of one node, joined. */
export type JointEviction = Omit<EvictionOptions, "podSelector"> & {
  /** Pods that one of these selects. Absent: all. */
  readonly podSelectors?: readonly string[];
};

/**
 * Joins two requests: the pods of either one are evicted. What one of them permits is permitted. Each pod has the
 * longer grace period, or its own if one request leaves it to the pod. Budgets are respected if one request respects
 * them.
 */
export function jointEviction(known: JointEviction | undefined, asked: EvictionOptions): JointEviction {
  const { podSelector, ...rest } = asked;
  const own: JointEviction = { ...rest, ...(podSelector === undefined ? {} : { podSelectors: [podSelector] }) };
  const before = known ?? own;
  const selectors =
    before.podSelectors === undefined || own.podSelectors === undefined
      ? undefined
      : [...new Set([...before.podSelectors, ...own.podSelectors])];
  const grace =
    before.gracePeriodSeconds === undefined || own.gracePeriodSeconds === undefined
      ? undefined
      : Math.max(before.gracePeriodSeconds, own.gracePeriodSeconds);
  const isEither = (name: "deletesEmptyDirData" | "evictsUnmanaged") => before[name] === true || own[name] === true;
  return {
    ...(grace !== undefined && { gracePeriodSeconds: grace }),
    ...(selectors !== undefined && { podSelectors: selectors }),
    ...(isEither("deletesEmptyDirData") && { deletesEmptyDirData: true }),
    ...(isEither("evictsUnmanaged") && { evictsUnmanaged: true }),
    ...(before.disablesEviction === true && own.disablesEviction === true && { disablesEviction: true }),
  };
}

/** Whether the request changes the eviction. */
export function changesEviction(known: JointEviction | undefined, asked: EvictionOptions | undefined): boolean {
  return asked !== undefined && JSON.stringify(jointEviction(known, asked)) !== JSON.stringify(known);
}

/** The progress of an eviction, or its result. */
export interface EvictionResult {
  /** How many pods are gone. */
  readonly evicted: number;
  /** The pods that remain. `why`: the last reason. Absent: the pod is terminating. */
  readonly remaining: readonly { readonly pod: string; readonly why?: string }[];
}

/** What an eviction would do. */
export interface PlannedEviction {
  readonly pods: readonly string[];
  /** The longest grace period of the pods, in milliseconds. */
  readonly graceMs: number;
}

/** Names a few of the remaining pods, each with its reason. */
export function notEvicted(remaining: EvictionResult["remaining"]): DrainError {
  const shown = remaining.slice(0, SHOWN_MAX).map(({ pod, why }) => (why === undefined ? pod : `${pod} (${why})`));
  const hidden = remaining.length - shown.length;
  const more = hidden > 0 ? ` and ${hidden} more` : "";
  const pods = `${remaining.length} ${remaining.length === 1 ? "pod was" : "pods were"} not evicted`;
  return new DrainError("not-evicted", `${pods}: ${shown.join("; ")}${more}`);
}
