import { SystemClock } from "../../src/drain/clock.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";

/** A program's clock on which time passes faster: for retries and holds whose length a test is not about. */
export class FastClock extends SystemClock {
  readonly #scaled: ScaledClock;

  /** The region's own, where the program and the region must agree about time. */
  constructor(scaled: ScaledClock) {
    const startedAt = scaled.now();
    const elapsed = () => scaled.now() - startedAt;
    super({ wall: () => scaled.now(), monotonic: elapsed, uptime: elapsed });
    this.#scaled = scaled;
  }

  override sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#scaled.sleep(ms, signal);
  }
}

/** So many times as fast as the wall clock. */
export function timesAsFast(speed: number): FastClock {
  return new FastClock(new ScaledClock(speed));
}
