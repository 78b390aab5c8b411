import { SystemClock } from "../drain/clock.ts";

/**
 * Reads the time of day at the beginning of each invocation. Between two of them a function's process stands still, and
 * a clock that counts from its start would be behind by that time. Within an invocation it counts on, even if the time
 * of day is set.
 */
export class FunctionClock extends SystemClock {
  invocationBegins(): void {
    this.takeTimeOfDay();
  }
}
