import { SystemClock } from "../drain/clock.ts";

/**
 * The machine's own time, read each time: between two invocations a function's process stands still, and a clock that
 * counts on from its start would be behind by as much.
 */
export class FunctionClock extends SystemClock {
  override now(): number {
    return Date.now();
  }
}
