import type { DrainError } from "./errors.ts";

/** The state of the connection to a cloud, for observers. No drain depends on it, and reading it makes no call. */
export interface CloudState {
  /** The name of the account and region, if several are configured. */
  readonly place?: string;
  readonly quotas: readonly QuotaState[];
  readonly index: IndexState;
}

/** The name of the quota of all calls together, including the calls of other programs. */
export const ALL_CALLS = "all";

/**
 * One of the cloud's request quotas. `available` and `burst` are calls. `perSecond` and `fullPerSecond` are calls per
 * second.
 */
export interface QuotaState {
  /** `ALL_CALLS`: calls to all load balancers together. */
  readonly name: string;
  /** The calls that may be made at once now. */
  readonly available: number;
  readonly burst: number;
  /** How fast the quota refills. It is slower after the cloud has throttled a call. */
  readonly perSecond: number;
  readonly fullPerSecond: number;
  /** The calls that wait for a permit now. */
  readonly waiting: number;
  /** Permits since the start, and calls that the cloud has throttled nevertheless. */
  readonly granted: number;
  readonly throttled: number;
}

/** What is known about where nodes are registered. Times are milliseconds since the epoch. */
export interface IndexState {
  /** Whether it is refreshed in the background. */
  readonly isKept: boolean;
  /** When all pools were last listed. Absent: they were not listed yet. */
  readonly listedAt?: number;
  /** The pools whose members are read one by one, and those of them that were read. */
  readonly groups: number;
  readonly groupsRead: number;
  /** The pools whose members are part of the list. */
  readonly listedWhole: number;
  /** The time of the oldest last read of a pool. Absent: no pool was read. */
  readonly oldestReadAt?: number;
  /** Why the last read failed. Absent: it succeeded. */
  readonly failure?: { readonly at: number; readonly error: DrainError };
}
