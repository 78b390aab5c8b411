import type { ApiName } from "../src/simulator/api/answer.ts";
import type { Clock } from "../src/simulator/clock.ts";
import { drawsOf, type Quotas } from "../src/simulator/quotas/quotas.ts";
import type { BucketSize } from "../src/simulator/quotas/token-bucket.ts";

interface Waiting {
  readonly buckets: readonly Bucket[];
  readonly grant: () => void;
}

/** Lets calls through as fast as the buckets of `quotas` refill, the urgent ones first. */
export class Pacer {
  readonly #clock: Clock;
  readonly #quotas: Quotas;
  readonly #signal: AbortSignal;
  readonly #buckets = new Map<string, Bucket>();
  /** By urgency, and in the order in which they came. */
  readonly #queues: readonly [urgent: Waiting[], other: Waiting[]] = [[], []];
  #wakesAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, quotas: Quotas, signal: AbortSignal) {
    this.#clock = clock;
    this.#quotas = quotas;
    this.#signal = signal;
  }

  /** Resolves when the call may be made. */
  take(api: ApiName, action: string, urgency: "urgent" | "other"): Promise<void> {
    const buckets = drawsOf({ api, action, params: {} }, this.#quotas).map(({ bucket: name, size }) => {
      const bucket = this.#buckets.get(name) ?? new Bucket(size, this.#clock.now());
      this.#buckets.set(name, bucket);
      return bucket;
    });
    return new Promise((resolve) => {
      this.#queues[urgency === "urgent" ? 0 : 1].push({ buckets, grant: resolve });
      this.#grant();
    });
  }

  #grant(): void {
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues) {
      for (;;) {
        const [first] = queue;
        if (first === undefined) break;
        const readyAt = Math.max(...first.buckets.map((bucket) => bucket.readyAt(now)));
        if (readyAt > now) {
          next = Math.min(next, readyAt);
          break;
        }
        for (const bucket of first.buckets) bucket.take();
        queue.shift();
        first.grant();
      }
    }
    if (next >= this.#wakesAt || next === Number.POSITIVE_INFINITY) return;
    this.#wakesAt = next;
    this.#clock.sleep(next - now, this.#signal).then(
      () => {
        this.#wakesAt = Number.POSITIVE_INFINITY;
        this.#grant();
      },
      () => {}, // Aborted: whoever waits is aborted, too.
    );
  }
}

/** As AWS's, told when it holds a token. Full at first. */
class Bucket {
  readonly #size: BucketSize;
  #tokens: number;
  #filledAt: number;

  constructor(size: BucketSize, now: number) {
    this.#size = size;
    this.#tokens = size.tokens;
    this.#filledAt = now;
  }

  readyAt(now: number): number {
    const { tokens, refillPerSecond } = this.#size;
    this.#tokens = Math.min(tokens, this.#tokens + ((now - this.#filledAt) / 1_000) * refillPerSecond);
    this.#filledAt = now;
    // Sums of fractions fall short of one by less than this.
    const missing = 1 - this.#tokens - 1e-9;
    return missing <= 0 ? now : now + Math.ceil((missing / refillPerSecond) * 1_000);
  }

  take(): void {
    this.#tokens -= 1;
  }
}

/** The part of AWS's quotas that one client may use: `share` of each bucket, and no more than `leftPerSecond` where given. */
export function shareOf(
  quotas: Quotas,
  share: number,
  leftPerSecond: Partial<Record<keyof Quotas, number>> = {},
): Quotas {
  const scaled = Object.entries(quotas).map(([name, size]: [string, BucketSize | string]) => {
    if (typeof size === "string") return [name, size];
    const left = leftPerSecond[name as keyof Quotas] ?? Number.POSITIVE_INFINITY;
    return [name, { tokens: size.tokens * share, refillPerSecond: Math.min(size.refillPerSecond * share, left) }];
  });
  return Object.fromEntries(scaled);
}
