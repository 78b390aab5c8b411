import { newAbort, onAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { REPEAT_MS } from "./hold.ts";
import type { DrainLimit } from "./plan.ts";

/** The reason of a drain's signal when its time is up. */
export class LimitPassed {
  readonly limit: DrainLimit;

  constructor(limit: DrainLimit) {
    this.limit = limit;
  }
}

/** Does `work` until `limit`. Then its signal aborts with `LimitPassed`, and the promise rejects at the latest. */
export async function withLimit<T>(
  {
    clock,
    limit,
    signal,
  }: { readonly clock: Clock; readonly limit: DrainLimit | undefined; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (limit === undefined) return work(signal);
  const done = newAbort();
  const within = newAbort();
  if (signal.aborted) within.abort(signal.reason);
  const forget = onAbort(signal, () => within.abort(signal.reason));
  try {
    return await new Promise<T>((resolve, reject) => {
      work(within.signal).then(resolve, reject);
      clock.sleep(limit.at - clock.now(), done.signal).then(
        () => {
          const reason = new LimitPassed(limit);
          reject(reason);
          within.abort(reason);
        },
        () => {}, // It was done in time.
      );
    });
  } finally {
    forget();
    done.abort(WOKEN);
  }
}

/** While nothing is known about a node, a request without a limit is retried for this long, in milliseconds. */
export const TRIED_WITHOUT_LIMIT_MS = 60_000;

/** How long to wait after this number of failures, in milliseconds. Each wait is twice as long as the one before. */
export function backOffMs(
  failures: number,
  { firstMs, maxMs }: { readonly firstMs: number; readonly maxMs: number },
): number {
  return Math.min(maxMs, firstMs * 2 ** failures);
}

export interface RepeatOptions {
  readonly clock: Clock;
  /** No attempt begins after this moment, in milliseconds since the epoch. It is called again before each attempt. */
  readonly until: () => number;
  readonly signal: AbortSignal;
  /** Called for each failure that will be retried. */
  readonly onFailure?: (error: DrainError) => void;
}

/**
 * Does `work` until it succeeds, fails permanently, or no time remains for another attempt. Then it throws the failure.
 */
export async function repeatWhilePassing<T>(
  { clock, until, signal, onFailure }: RepeatOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const failure = asDrainError(error);
      if (!failure.isPassing || clock.now() + REPEAT_MS >= until()) throw error;
      onFailure?.(failure);
      await clock.sleep(REPEAT_MS, signal);
    }
  }
}
