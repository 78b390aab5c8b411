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
   * Notified of the drain that will answer, once that drain would outlive the process. At most once, never after `settle`;
   * not where there is none, as in dry run. `begun` resolves once no guard can refuse the drain any more; where it is
   * refused it stays pending. Absent: it has begun.
   */
  accepted(drain: AcceptedDrain, begun?: Promise<void>): void;

  /** Called in place of `accepted`: the drain, which goes on, would not outlive the process, because it can't be written down. */
  unrecorded(drain: AcceptedDrain, error: DrainError): void;

  /** Answers the request. Called once. Rejects when the answer could not be delivered. */
  settle(outcome: DrainOutcome): Promise<void>;
}

/** Where requests come from and where their answers go. Implementations: HTTP, an SQS queue, and a list in the tests. */
export interface EventSource {
  /**
   * The requests, until `stop` aborts. Every request that was accepted before that is still delivered, so that every request
   * gets its answer.
   */
  deliveries(stop: AbortSignal): AsyncIterable<Delivery>;
}

/** What a request has come to so far. */
export interface Accepted {
  /** Absent where there is none: in dry run, and when the node was not found. */
  readonly drain?: AcceptedDrain;
  /**
   * Resolves once the drain would outlive the process, as far as there is a ledger. Rejects with `ledger-unavailable`:
   * the drain goes on all the same.
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
