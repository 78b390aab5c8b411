import { newAbort, onAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";

/** Calls whose time ends within so long of each other share one timer. */
const STEP_MS = 1_000;

interface Limit {
  /** Aborts when the time is up, or everything is cut off. */
  readonly signal: AbortSignal;
  /** Ends the wait for that. */
  readonly end: () => void;
  works: number;
}

/**
 * How long AWS may take to answer. A queue that is suddenly full has thousands of calls whose time ends at about the same
 * moment: a timer and two controllers for each are a good part of what a message costs.
 */
export class AnswerLimits {
  readonly #clock: Clock;
  /** Cuts off everything. */
  readonly #cut: AbortSignal;
  /** Those that something is under way for, by their moments in milliseconds since the epoch. */
  readonly #limits = new Map<number, Limit>();

  constructor(clock: Clock, cut: AbortSignal) {
    this.#clock = clock;
    this.#cut = cut;
  }

  /** Does `work`, which calls AWS, in `ms` milliseconds or up to a second more, or throws `unreachable`. */
  async within(ms: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const at = Math.ceil((this.#clock.now() + ms) / STEP_MS) * STEP_MS;
    const limit = this.#limits.get(at) ?? this.#begin(at);
    const { signal } = limit;
    limit.works += 1;
    let forget = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        // Whether or not the work heeds the signal.
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
