import type { Clock } from "../drain/clock.ts";

/** Wrong secrets in a row: more than typing errors explain. */
const BURST = 10;
/** Then one more is forgiven in so long. */
const FORGIVEN_MS = 6_000;
/** A bucket that is left alone is full again after this, and as good as none. */
const FULL_MS = BURST * FORGIVEN_MS;
/** Each costs some hundred bytes. Addresses beyond share one bucket. */
const CLIENTS_MAX = 10_000;
const OTHERS = "others";

interface Bucket {
  readonly tokens: number;
  readonly at: number;
  /** It has been empty since it was last full. */
  readonly wasEmpty: boolean;
}

export interface Counted {
  /** 0 within the limit; beyond it, after how long one more would be within. */
  readonly waitMs: number;
  /** The first beyond the limit since the client was last quiet. */
  readonly isFirst: boolean;
}

/** Counts wrong secrets and tokens, for each client's address on its own. */
export class WrongSecrets {
  readonly #clock: Clock;
  /** The longest untouched first. */
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

  /** Forgetting a client resets it, so only clients with a full bucket are dropped. */
  #forget(now: number): void {
    for (const [address, { at }] of this.#buckets) {
      if (now - at < FULL_MS) return;
      this.#buckets.delete(address);
    }
  }
}
