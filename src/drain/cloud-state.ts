import type { DrainError } from "./errors.ts";

/** How the way to a cloud stands, for those who watch. No drain depends on it, and asking for it makes no call. */
export interface CloudState {
  /** Account and region, where there are several. */
  readonly place?: string;
  readonly quotas: readonly QuotaState[];
  readonly index: IndexState;
}

/** The name of the quota of all calls together, which also counts those of others. */
export const ALL_CALLS = "all";

/** One of the cloud's request quotas. `available` and `burst` are calls, `perSecond` and `fullPerSecond` calls a second. */
export interface QuotaState {
  /** `ALL_CALLS`: calls to all load balancers together. */
  readonly name: string;
  /** Calls that may be made at once now. */
  readonly available: number;
  readonly burst: number;
  /** How fast room for further calls comes back. It is slower after the cloud has throttled a call. */
  readonly perSecond: number;
  readonly fullPerSecond: number;
  /** Calls that wait for a permit now. */
  readonly waiting: number;
  /** Permits since the start, and calls that the cloud has throttled all the same. */
  readonly granted: number;
  readonly throttled: number;
}

/** What is known of who is registered where. Moments are milliseconds since the epoch. */
export interface IndexState {
  /** Whether it is kept up to date in the background. */
  readonly isKept: boolean;
  /** When all pools were last listed. Absent: never yet. */
  readonly listedAt?: number;
  /** Pools whose members are read one by one, and those of them that were read. */
  readonly groups: number;
  readonly groupsRead: number;
  /** Pools whose members come with the list. */
  readonly listedWhole: number;
  /** When the pool was read whose read is longest ago. Absent: none was read. */
  readonly oldestReadAt?: number;
  /** Why the last read has failed. Absent: it has not. */
  readonly failure?: { readonly at: number; readonly error: DrainError };
}
