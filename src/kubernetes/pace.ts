import { newAbort, onAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";

export interface PaceOptions {
  readonly clock: Clock;
  /** Requests that may run at the same time. */
  readonly inFlightMax: number;
  readonly perSecond: number;
  /** Requests that may start at once after a rest. */
  readonly burst: number;
}

/**
 * - `first`: before all others. For the few that many callers wait for.
 * - `in-order`: in the order of arrival.
 * - `background`: only while none of the others waits.
 */
export type Turn = "first" | "in-order" | "background";

interface Waiting {
  readonly start: () => void;
}

/**
 * Limits how many requests start and run, so that this program can't overload an API server. Requests start in the
 * order of their turns.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #waiting: Readonly<Record<Turn, Waiting[]>> = { first: [], "in-order": [], background: [] };
  #running = 0;
  #permits: number;
  #countedAt: number;
  #isAsleep = false;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#permits = options.burst;
    this.#countedAt = options.clock.now();
  }

  /** The number of requests that wait for their turn. */
  get waiting(): number {
    return Object.values(this.#waiting).reduce((sum, { length }) => sum + length, 0);
  }

  /** Does `work` when it is its turn. Rejects with the signal's reason if that aborts during the wait. */
  async run<T>(turn: Turn, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#turn(this.#waiting[turn], signal);
    try {
      return await work();
    } finally {
      this.#running--;
      this.#startDue();
    }
  }

  #turn(queue: Waiting[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const waiting: Waiting = {
        start: () => {
          forget();
          resolve();
        },
      };
      const forget = onAbort(signal, () => {
        const at = queue.indexOf(waiting);
        if (at >= 0) queue.splice(at, 1);
        reject(signal.reason);
      });
      queue.push(waiting);
      this.#startDue();
    });
  }

  #startDue(): void {
    this.#count();
    while (this.waiting > 0 && this.#running < this.#options.inFlightMax && this.#permits >= 1) {
      this.#permits--;
      this.#running++;
      const { first, "in-order": inOrder, background } = this.#waiting;
      (first.shift() ?? inOrder.shift() ?? background.shift())?.start();
    }
    if (this.waiting > 0 && this.#running < this.#options.inFlightMax) void this.#wake();
  }

  #count(): void {
    const { clock, perSecond, burst } = this.#options;
    const now = clock.now();
    this.#permits = Math.min(burst, this.#permits + ((now - this.#countedAt) * perSecond) / 1_000);
    this.#countedAt = now;
  }

  /** Starts the next request when there is a permit again. Never rejects. */
  async #wake(): Promise<void> {
    if (this.#isAsleep) return;
    this.#isAsleep = true;
    const { clock, perSecond } = this.#options;
    await clock.sleep(Math.ceil(((1 - this.#permits) * 1_000) / perSecond), NEVER);
    this.#isAsleep = false;
    this.#startDue();
  }
}

/** The wait is a fraction of a second, and a request waits for it. */
const NEVER = newAbort().signal;
