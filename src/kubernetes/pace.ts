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

interface Waiting {
  readonly start: () => void;
}

/**
 * Limits how many requests start and run, so that this program can't overload an API server. Requests start in their
 * order; background requests only while no other request waits.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #waiting: Waiting[] = [];
  readonly #background: Waiting[] = [];
  #running = 0;
  #permits: number;
  #countedAt: number;
  #isAsleep = false;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#permits = options.burst;
    this.#countedAt = options.clock.now();
  }

  /** How many requests wait for their turn. */
  get waiting(): number {
    return this.#waiting.length + this.#background.length;
  }

  /** Does `work` when its turn has come. Rejects with the signal's reason if that aborts while it waits. */
  async run<T>(isBackground: boolean, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#turn(isBackground ? this.#background : this.#waiting, signal);
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
      (this.#waiting.shift() ?? this.#background.shift())?.start();
    }
    if (this.waiting > 0 && this.#running < this.#options.inFlightMax) void this.#wake();
  }

  #count(): void {
    const { clock, perSecond, burst } = this.#options;
    const now = clock.now();
    this.#permits = Math.min(burst, this.#permits + ((now - this.#countedAt) * perSecond) / 1_000);
    this.#countedAt = now;
  }

  /** Starts what is due when there is a permit again. Never rejects. */
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
