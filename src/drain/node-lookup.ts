import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Node } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import { repeatWhilePassing } from "./limit.ts";
import { type DrainTimes, deadlineLimit } from "./plan.ts";
import type { AskedRequest, DrainRequest } from "./request.ts";

export interface NodeLookupOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly times: DrainTimes;
}

/** Finds the node that a request for a drain names. */
export class NodeLookup {
  readonly #request: DrainRequest & AskedRequest;
  readonly #options: NodeLookupOptions;
  #trouble: DrainError | undefined;

  constructor(request: DrainRequest & AskedRequest, options: NodeLookupOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** Why it is not found yet, where a call is being repeated. */
  get trouble(): DrainError | undefined {
    return this.#trouble;
  }

  /** A request with a deadline is not repeated by its source: passing failures are retried until then. */
  async resolve(signal: AbortSignal): Promise<Node> {
    const { cloud, clock, times } = this.#options;
    const { node, askedAt, deadline } = this.#request;
    const known = node.by === "id" ? cloud.recall(node.value) : undefined;
    if (known !== undefined) return known;
    const limit = deadlineLimit({ startedAt: askedAt, deadline, times });
    const until = () => limit?.at ?? Number.NEGATIVE_INFINITY;
    const repeats = (error: DrainError) => {
      this.#trouble = error;
    };
    const by = { ...toFind(this.#request, signal), repeats };
    return repeatWhilePassing({ clock, until, signal }, () => cloud.resolve(node, by));
  }
}

/** The urgency of a search. */
export function toFind(
  { deadline = Number.POSITIVE_INFINITY }: Pick<DrainRequest, "deadline">,
  signal: AbortSignal,
): CallFor {
  return { urgency: () => ({ purpose: "find", deadline }), signal };
}
