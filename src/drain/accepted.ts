import type { AcceptedDrain } from "./event-source.ts";
import type { DrainOutcome } from "./outcome.ts";

/** What a request has come to so far. */
export interface Accepted {
  /** Absent where there is none: in dry run, and when the node was not found. */
  readonly drain?: AcceptedDrain;
  /**
   * Resolves once the drain would outlive the process, as far as there is a ledger. Rejects with `ledger-unavailable`:
   * the drain goes on all the same.
   */
  readonly recorded: Promise<void>;
  readonly outcome: DrainOutcome | Promise<DrainOutcome>;
}

/** There is no drain, and there will be none. */
export function withoutDrain(outcome: DrainOutcome): Accepted {
  return { recorded: Promise.resolve(), outcome };
}
