import { SystemClock } from "../drain/clock.ts";

/**
 * Takes the time of day as each invocation begins: between two of them a function's process stands still, and a clock that
 * counts on from its start would be behind by as much. Within an invocation it counts on, whatever sets the time of day.
 */
export class FunctionClock extends SystemClock {
  invocationBegins(): void {
    this.takeTimeOfDay();
  }
}
