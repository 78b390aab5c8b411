import { DrainError } from "./errors.ts";

/** So many pods are named where more are left. */
const SHOWN_MAX = 5;

/** Longer times to end are refused, in seconds. */
export const GRACE_SECONDS_MAX = 86_400;
/** Longer label selectors are refused. */
export const SELECTOR_CHARACTERS_MAX = 1_000;

/**
 * The label of evictions that this program makes. The eviction gate lets them pass.
 * https://kubernetes.io/docs/reference/labels-annotations-taints/#app-kubernetes-io-managed-by
 */
export const OWN_EVICTION = { label: "app.kubernetes.io/managed-by", value: "hasta-la-vista" } as const;

/** How the pods of a node are to be evicted: what `kubectl drain` calls by the same names. */
export interface EvictionOptions {
  /** How long each pod has to end, in seconds. Absent: as long as the pod itself says. */
  readonly gracePeriodSeconds?: number;
  /** Only pods with these labels: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors. Absent: all. */
  readonly podSelector?: string;
  /** Pods with `emptyDir` volumes are evicted, and the data in these is lost. Absent: nothing is evicted where there is one. */
  readonly deletesEmptyDirData?: true;
  /** Pods without a controller are evicted, and no controller makes them again. Absent: nothing is evicted where there is one. */
  readonly evictsUnmanaged?: true;
  /** Pods are deleted, whatever their disruption budgets say. Absent: they are evicted. */
  readonly disablesEviction?: true;
}

/** For a machine that goes in any case, and its pods with it. */
export const EVICT_ALL: EvictionOptions = { deletesEmptyDirData: true, evictsUnmanaged: true };

/** What all requests for one node that ask for an eviction come to together. */
export type JointEviction = Omit<EvictionOptions, "podSelector"> & {
  /** Pods that one of them selects. Absent: all. */
  readonly podSelectors?: readonly string[];
};

/**
 * The pods of either request are evicted. What one of them lets happen to them happens. Each pod has the longer time, and
 * its own time where one request leaves it that. Budgets are respected where one request respects them.
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

/** Whether the eviction becomes another one by the request. */
export function changesEviction(known: JointEviction | undefined, asked: EvictionOptions | undefined): boolean {
  return asked !== undefined && JSON.stringify(jointEviction(known, asked)) !== JSON.stringify(known);
}

/** How far an eviction has come, or how it has ended. */
export interface EvictionResult {
  /** How many pods are gone. */
  readonly evicted: number;
  /** Those that are left. `why`: what was said of it last. Absent: it is on its way. */
  readonly remaining: readonly { readonly pod: string; readonly why?: string }[];
}

/** What an eviction would do. */
export interface PlannedEviction {
  readonly pods: readonly string[];
  /** How long the longest of them has to end, in milliseconds. */
  readonly graceMs: number;
}

/** Names a few of those that are left, each with its reason. */
export function notEvicted(remaining: EvictionResult["remaining"]): DrainError {
  const shown = remaining.slice(0, SHOWN_MAX).map(({ pod, why }) => (why === undefined ? pod : `${pod} (${why})`));
  const hidden = remaining.length - shown.length;
  const more = hidden > 0 ? ` and ${hidden} more` : "";
  const pods = `${remaining.length} ${remaining.length === 1 ? "pod was" : "pods were"} not evicted`;
  return new DrainError("not-evicted", `${pods}: ${shown.join("; ")}${more}`);
}
