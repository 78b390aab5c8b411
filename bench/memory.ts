import type { Clock } from "../src/simulator/clock.ts";

const INTERVAL_MS = 60_000;
const MIB = 2 ** 20;

/** Heap and external memory of this process, each time after a forced collection: every minute of `clock`. */
export class MemoryWatch {
  readonly #clock: Clock;
  readonly #leaveOut: (work: () => void) => void;
  #peakBytes = 0;

  /** `leaveOut` runs the collections, whose time belongs to the measurement. Throws where no collection can be forced. */
  constructor(clock: Clock, leaveOut: (work: () => void) => void) {
    if (globalThis.gc === undefined) {
      throw new Error("memory can be told only with node --expose-gc: use npm run bench");
    }
    this.#clock = clock;
    this.#leaveOut = leaveOut;
  }

  /** Resolves when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.sample();
      await this.#clock.sleep(INTERVAL_MS, signal).catch(() => {}); // Aborted: the loop ends.
    }
  }

  sample(): void {
    this.#leaveOut(() => {
      // Twice: buffers are given back only after what held them has gone.
      globalThis.gc?.();
      globalThis.gc?.();
    });
    const { heapUsed, external } = process.memoryUsage();
    this.#peakBytes = Math.max(this.#peakBytes, heapUsed + external);
  }

  get peakMiB(): number {
    return this.#peakBytes / MIB;
  }
}
