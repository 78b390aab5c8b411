/** The only time there is. Implementations: `SystemClock` here; scaled and virtual ones in the simulator. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;

  /** Resolves `ms` later; at once when `ms` is not positive. Rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Longer waits than this overflow Node's timers and would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Takes the time of day once, and counts on from there: a wall clock that is set forward ends no hold early. */
export class SystemClock implements Clock {
  readonly #origin = Date.now() - performance.now();

  now(): number {
    return this.#origin + performance.now();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(
        () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
        Math.min(Math.max(ms, 0), TIMER_MAX_MS),
      );
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
