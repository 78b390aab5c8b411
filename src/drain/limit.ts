import { newAbort, onAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { REPEAT_MS } from "./hold.ts";
import type { DrainLimit } from "./plan.ts";

/** Why a drain's signal aborted: its time was up. */
export class LimitPassed {
  readonly limit: DrainLimit;

  constructor(limit: DrainLimit) {
    this.limit = limit;
  }
}

/** Does `work` until `limit`, when its signal aborts with `LimitPassed` and so, at the latest, does the promise. */
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

/** As long as nothing is known of a node, a request without a limit is retried for this long, in milliseconds. */
export const TRIED_WITHOUT_LIMIT_MS = 60_000;

/** How long to wait after so many failures: each time twice as long, in milliseconds. */
export function backOffMs(
  failures: number,
  { firstMs, maxMs }: { readonly firstMs: number; readonly maxMs: number },
): number {
  return Math.min(maxMs, firstMs * 2 ** failures);
}

export interface RepeatOptions {
  readonly clock: Clock;
  /** No try begins after this, in milliseconds since the epoch. Asked again before each one. */
  readonly until: () => number;
  readonly signal: AbortSignal;
  /** Hears of each failure that is followed by another try. */
  readonly onFailure?: (error: DrainError) => void;
}

/** Does `work` until it succeeds, fails for good, or there is no time for another try: then it throws the failure. */
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
