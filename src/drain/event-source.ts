import type { Node } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { DrainOutcome } from "./outcome.ts";
import type { DrainRequest } from "./request.ts";

/** The drain that will answer a request. Requests for the same node share one. */
export interface AcceptedDrain {
  readonly id: string;
  readonly node: Node;
}

/** One request for a drain, and the way to answer it. */
export interface Delivery {
  readonly request: DrainRequest;

  /**
   * Called with the drain that will answer, when that drain would survive the end of the process. It is called at most
   * once, never after `settle`, and not if there is no drain, as in a dry run. `begun` resolves when no guard can
   * refuse the drain any more, and stays pending if the drain is refused. Absent: it has begun.
   */
  accepted(drain: AcceptedDrain, begun?: Promise<void>): void;

  /**
   * Called instead of `accepted`: the drain continues, but would not survive the end of the process because it can't be
   * written down.
   */
  unrecorded(drain: AcceptedDrain, error: DrainError): void;

  /** Answers the request. Called once. Rejects if the answer could not be delivered. */
  settle(outcome: DrainOutcome): Promise<void>;
}

/**
 * Where requests come from, and where their answers go. Implementations: HTTP, an SQS queue, and a list in the tests.
 */
export interface EventSource {
  /**
   * The requests, until `stop` aborts. Requests that were accepted before that are still delivered, so that each gets
   * its answer.
   */
  deliveries(stop: AbortSignal): AsyncIterable<Delivery>;
}

/** The result of accepting a request. */
export interface Accepted {
  /** Absent if there is no drain: in a dry run, and if the node was not found. */
  readonly drain?: AcceptedDrain;
  /**
   * Resolves when the drain would survive the end of the process, as far as there is a ledger. Rejects with
   * `ledger-unavailable`. The drain continues all the same.
   */
  readonly recorded: Promise<void>;
  /** See `Delivery.accepted`. */
  readonly begun?: Promise<void>;
  readonly outcome: DrainOutcome | Promise<DrainOutcome>;
}

/** There is no drain, and there will be none. */
export function withoutDrain(outcome: DrainOutcome): Accepted {
  return { recorded: Promise.resolve(), outcome };
}
