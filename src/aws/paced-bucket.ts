import type { QuotaState } from "../drain/cloud-state.ts";

/** The number of calls that fit in at once, and how fast the bucket refills. */
export interface BucketSize {
  readonly burst: number;
  readonly perSecond: number;
}

/** The pace after AWS has throttled a call. It is mild, because a throttled call costs only another attempt. */
const DECREASE = 0.85;
/** How much of the full pace returns each second. */
const INCREASE_PER_SECOND = 0.02;
/** Never slower than this share of the pace, because some calls have to find out when there is room again. */
const PACE_MIN = 0.05;
/** Throttled calls within this time have the same cause. */
const SAME_JAM_MS = 1_000;

/** One whole call, except for the rounding of sums of fractions. */
const ONE = 1 - 1e-9;

/**
 * A token bucket that slows down: if AWS throttles although there was room, another program uses the quota too. Slowing
 * down by a factor and recovering by a constant lets any number of such processes share a quota evenly (additive
 * increase, multiplicative decrease).
 */
export class PacedBucket {
  readonly #size: BucketSize;
  #tokens: number;
  #pace = 1;
  #at: number;
  #jammedAt = Number.NEGATIVE_INFINITY;

  /** Times are milliseconds since the epoch. */
  constructor(size: BucketSize, now: number) {
    this.#size = size;
    this.#tokens = this.#capacity;
    this.#at = now;
  }

  /** How long until there is room for a call, in milliseconds. 0: there is room now. */
  waitMs(now: number): number {
    this.#refill(now);
    return this.#tokens >= ONE ? 0 : Math.ceil(((1 - this.#tokens) * 1_000) / this.#perSecond);
  }

  take(): void {
    this.#tokens -= 1;
  }

  throttled(now: number): void {
    this.#refill(now);
    this.#tokens = Math.min(this.#tokens, 0);
    // A clock that was set back does not extend this.
    if (Math.abs(now - this.#jammedAt) < SAME_JAM_MS) return;
    this.#jammedAt = now;
    this.#pace = Math.max(PACE_MIN, this.#pace * DECREASE);
  }

  /** How long this number of calls take from now, in milliseconds, without other calls. */
  msFor(calls: number, now: number): number {
    this.#refill(now);
    return Math.max(0, ((calls - this.#tokens) * 1_000) / this.#perSecond);
  }

  /** The current fill level. Does not change it. */
  state(now: number): Pick<QuotaState, "available" | "burst" | "perSecond" | "fullPerSecond"> {
    const seconds = Math.max(0, now - this.#at) / 1_000;
    const pace = Math.min(1, this.#pace + seconds * INCREASE_PER_SECOND);
    return {
      available: Math.max(0, Math.min(this.#capacity, this.#tokens + seconds * this.#perSecond)),
      burst: this.#capacity,
      perSecond: this.#size.perSecond * pace,
      fullPerSecond: this.#size.perSecond,
    };
  }

  get #capacity(): number {
    return Math.max(1, this.#size.burst);
  }

  get #perSecond(): number {
    return this.#size.perSecond * this.#pace;
  }

  #refill(now: number): void {
    // A clock that was set back takes nothing away.
    const seconds = Math.max(0, now - this.#at) / 1_000;
    this.#at = now;
    this.#tokens = Math.min(this.#capacity, this.#tokens + seconds * this.#perSecond);
    this.#pace = Math.min(1, this.#pace + seconds * INCREASE_PER_SECOND);
  }
}
