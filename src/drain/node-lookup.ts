import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Node } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import { LimitPassed, repeatWhilePassing, withLimit } from "./limit.ts";
import { type DrainLimit, type DrainTimes, deadlineLimit } from "./plan.ts";
import type { AskedRequest, DrainRequest } from "./request.ts";

export interface NodeLookupOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly times: DrainTimes;
  /** The node with this id, where it is being drained. */
  readonly running: (id: string) => Node | undefined;
}

type Asked = DrainRequest & AskedRequest;

/** The node, or why there is none. */
interface LookedUp {
  readonly node?: Node;
  readonly error?: unknown;
  /** Why it was not found yet, where a call was being repeated when time was up. */
  readonly trouble?: DrainError | undefined;
}

interface Lookup {
  readonly limit: DrainLimit | undefined;
  readonly signal: AbortSignal;
  readonly found: Promise<LookedUp>;
}

/** Finds the nodes that requests for drains name. Callers who ask for one node at once share one lookup. */
export class NodeLookups {
  readonly #options: NodeLookupOptions;
  /** Those under way, by the reference and the deadline. */
  readonly #underWay = new Map<string, Lookup>();

  constructor(options: NodeLookupOptions) {
    this.#options = options;
  }

  /** Of a node that is being drained already nothing is asked. */
  async find(asked: Asked, limit: DrainLimit | undefined, signal: AbortSignal): Promise<LookedUp> {
    const { node, deadline } = asked;
    const running = node.by === "id" && !signal.aborted ? this.#options.running(node.value) : undefined;
    if (running !== undefined) return { node: running };
    const key = JSON.stringify([node.by, node.value, deadline]);
    const known = this.#underWay.get(key);
    if (known?.signal === signal && endsFirst(known.limit, limit)) {
      const found = await known.found;
      // Its time was up, and this caller's is not.
      const goesOn = found.error instanceof LimitPassed && known.limit?.at !== limit?.at;
      return goesOn ? this.find(asked, limit, signal) : found;
    }
    const found = this.#lookUp(asked, limit, signal);
    const lookup = { limit, signal, found };
    this.#underWay.set(key, lookup);
    try {
      return await found;
    } finally {
      if (this.#underWay.get(key) === lookup) this.#underWay.delete(key);
    }
  }

  async #lookUp(asked: Asked, limit: DrainLimit | undefined, signal: AbortSignal): Promise<LookedUp> {
    const { clock } = this.#options;
    let trouble: DrainError | undefined;
    const repeats = (error: DrainError) => {
      trouble = error;
    };
    try {
      return { node: await withLimit({ clock, limit, signal }, (within) => this.#resolve(asked, within, repeats)) };
    } catch (error) {
      return { error, trouble };
    }
  }

  /** A request with a deadline is not repeated by its source: passing failures are retried until then. */
  async #resolve(
    { node, askedAt, deadline }: Asked,
    signal: AbortSignal,
    repeats: (error: DrainError) => void,
  ): Promise<Node> {
    const { cloud, clock, times } = this.#options;
    const known = node.by === "id" ? cloud.recall(node.value) : undefined;
    if (known !== undefined) return known;
    const limit = deadlineLimit({ startedAt: askedAt, deadline, times });
    const until = () => limit?.at ?? Number.NEGATIVE_INFINITY;
    const by = { ...toFind(deadline === undefined ? {} : { deadline }, signal), repeats };
    return repeatWhilePassing({ clock, until, signal }, () => cloud.resolve(node, by));
  }
}

/** Whether the one ends no later than the other. */
function endsFirst(one: DrainLimit | undefined, other: DrainLimit | undefined): boolean {
  return (one?.at ?? Number.POSITIVE_INFINITY) <= (other?.at ?? Number.POSITIVE_INFINITY);
}

/** The urgency of a search. */
export function toFind(
  { deadline = Number.POSITIVE_INFINITY }: Pick<DrainRequest, "deadline">,
  signal: AbortSignal,
): CallFor {
  return { urgency: () => ({ purpose: "find", deadline }), signal };
}
