import { newAbort, onAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";

/** Calls whose time ends within this time of each other share one timer. */
const STEP_MS = 1_000;

interface Limit {
  /** Aborts when the time is up, or all calls are aborted. */
  readonly signal: AbortSignal;
  /** Ends the wait for that. */
  readonly end: () => void;
  works: number;
}

/**
 * Limits the time of AWS's answers. A queue that is suddenly full has thousands of calls whose time ends at about the
 * same moment. A timer and two controllers for each would be a large part of the cost of a message.
 */
export class AnswerLimits {
  readonly #clock: Clock;
  /** Aborts all calls. */
  readonly #cut: AbortSignal;
  /** The limits of calls in progress, by their times in milliseconds since the epoch. */
  readonly #limits = new Map<number, Limit>();

  constructor(clock: Clock, cut: AbortSignal) {
    this.#clock = clock;
    this.#cut = cut;
  }

  /** Does `work`, which calls AWS, within `ms` milliseconds and up to a second more, or throws `unreachable`. */
  async within(ms: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const at = Math.ceil((this.#clock.now() + ms) / STEP_MS) * STEP_MS;
    const limit = this.#limits.get(at) ?? this.#begin(at);
    const { signal } = limit;
    limit.works += 1;
    let forget = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        // Even if the work ignores the signal.
        forget = onAbort(signal, () => reject(signal.reason));
        work(signal).then(resolve, reject);
      });
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new DrainError("unreachable", `AWS did not answer within ${ms / 1_000} s`);
    } finally {
      forget();
      limit.works -= 1;
      if (limit.works === 0) limit.end();
    }
  }

  #begin(at: number): Limit {
    const [within, done] = [newAbort(), newAbort()];
    if (this.#cut.aborted) within.abort();
    const forget = onAbort(this.#cut, () => within.abort());
    this.#clock.sleep(at - this.#clock.now(), done.signal).then(
      () => within.abort(),
      () => {}, // All was done in time.
    );
    const end = () => {
      forget();
      done.abort(WOKEN);
      this.#limits.delete(at);
    };
    const limit = { signal: within.signal, end, works: 0 };
    this.#limits.set(at, limit);
    return limit;
  }
}
