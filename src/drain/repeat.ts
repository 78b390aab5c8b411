import type { Clock } from "./clock.ts";
import { asDrainError } from "./errors.ts";
import { REPEAT_MS } from "./hold.ts";

export interface RepeatOptions {
  readonly clock: Clock;
  /** No try begins after this, in milliseconds since the epoch. Asked again before each one. */
  readonly until: () => number;
  readonly signal: AbortSignal;
}

/** Does `work` until it succeeds, fails for good, or there is no time for another try: then it throws the failure. */
export async function repeatWhilePassing<T>(
  { clock, until, signal }: RepeatOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!asDrainError(error).isPassing || clock.now() + REPEAT_MS >= until()) throw error;
      await clock.sleep(REPEAT_MS, signal);
    }
  }
}
