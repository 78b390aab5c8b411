import type { Clock } from "../drain/clock.ts";

/** Wrong secrets in a row. More can't be typing errors. */
const BURST = 10;
/** After that, one more is allowed in this time. */
const FORGIVEN_MS = 6_000;
/** A bucket that is not used is full again after this time, and can be removed. */
const FULL_MS = BURST * FORGIVEN_MS;
/** Each takes some hundred bytes. Further addresses share one bucket. */
const CLIENTS_MAX = 10_000;
const OTHERS = "others";

interface Bucket {
  readonly tokens: number;
  readonly at: number;
  /** It has been empty since it was last full. */
  readonly wasEmpty: boolean;
}

export interface Counted {
  /** 0 within the limit. Beyond it, the time until one more is allowed. */
  readonly waitMs: number;
  /** The first beyond the limit since the client was last quiet. */
  readonly isFirst: boolean;
}

/** Counts wrong secrets and tokens, separately for each client's address. */
export class WrongSecrets {
  readonly #clock: Clock;
  /** Least recently used first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether another one would be beyond the limit. */
  isLimited(address: string): boolean {
    return this.#read(address).tokens < 1;
  }

  count(address: string): Counted {
    const { key, tokens, wasEmpty, now } = this.#read(address);
    const isWithin = tokens >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: isWithin ? tokens - 1 : tokens, at: now, wasEmpty: wasEmpty || !isWithin });
    return { waitMs: isWithin ? 0 : (1 - tokens) * FORGIVEN_MS, isFirst: !isWithin && !wasEmpty };
  }

  #read(address: string) {
    const now = this.#clock.now();
    this.#forget(now);
    const key = this.#buckets.has(address) || this.#buckets.size < CLIENTS_MAX ? address : OTHERS;
    const { tokens, at, wasEmpty } = this.#buckets.get(key) ?? { tokens: BURST, at: now, wasEmpty: false };
    return { key, now, wasEmpty, tokens: Math.min(BURST, tokens + (now - at) / FORGIVEN_MS) };
  }

  /** Forgetting a client resets its count, so only clients with a full bucket are removed. */
  #forget(now: number): void {
    for (const [address, { at }] of this.#buckets) {
      if (now - at < FULL_MS) return;
      this.#buckets.delete(address);
    }
  }
}
