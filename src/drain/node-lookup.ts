import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Node } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import { repeatWhilePassing } from "./limit.ts";
import { Superseded } from "./outcome.ts";
import { type DrainTimes, deadlineLimit } from "./plan.ts";
import type { AskedRequest, DrainRequest } from "./request.ts";

export interface NodeLookupOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly times: DrainTimes;
}

/** EC2 says of a machine's state what was so some seconds ago. https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html */
const STATE_LAG_MS = 30_000;
const STATE_LOOK_MS = 5_000;

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

  /**
   * Who has a deadline has nobody to ask again later: until then, what fails in passing is tried again. Throws
   * `Superseded` where what the request announces no longer holds.
   */
  async resolve(signal: AbortSignal): Promise<Node> {
    const { clock } = this.#options;
    const { node, holdsWhile } = this.#request;
    if (holdsWhile === undefined) {
      const known = node.by === "id" ? this.#options.cloud.recall(node.value) : undefined;
      return known ?? this.#find(signal);
    }
    // What is remembered may be older than what the request tells of, and so may what the cloud says first.
    const { machine, saidAt = Number.NEGATIVE_INFINITY } = holdsWhile;
    for (;;) {
      const found = await this.#find(signal);
      const isOff = found.isOff ?? false;
      if (isOff === (machine === "stops")) return found;
      if (machine === "runs")
        throw new Superseded(`${found.id} does not run any more: what was announced has happened`);
      if (clock.now() >= saidAt + STATE_LAG_MS) throw new Superseded(`${found.id} is running: it does not leave`);
      await clock.sleep(STATE_LOOK_MS, signal);
    }
  }

  #find(signal: AbortSignal): Promise<Node> {
    const { cloud, clock, times } = this.#options;
    const { node, askedAt, deadline } = this.#request;
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
