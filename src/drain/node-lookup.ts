import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Node } from "./cloud-provider.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { LimitPassed, repeatWhilePassing, TRIED_WITHOUT_LIMIT_MS, withLimit } from "./limit.ts";
import { Superseded } from "./outcome.ts";
import type { DrainLimit } from "./plan.ts";
import type { AskedRequest, DrainRequest, NodeReference } from "./request.ts";

export interface NodeLookupOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  /** The node with this id, if it is being drained. */
  readonly running: (id: string) => Node | undefined;
  /** Called for each failed attempt to find a node that will be retried. */
  readonly onLookupFailed?: (asked: NodeReference, error: DrainError) => void;
}

type Asked = DrainRequest & AskedRequest;

/**
 * EC2 may answer with the state that a machine had some seconds ago.
 * https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
 */
const STATE_LAG_MS = 30_000;
const STATE_READ_INTERVAL_MS = 5_000;

/** The node, or why there is none. */
interface LookedUp {
  readonly node?: Node;
  readonly error?: unknown;
  /** Why it was not found yet, if a call was being retried when the time was up. */
  readonly trouble?: DrainError | undefined;
}

interface Lookup {
  readonly limit: DrainLimit | undefined;
  readonly signal: AbortSignal;
  readonly found: Promise<LookedUp>;
}

interface Within {
  readonly signal: AbortSignal;
  readonly repeats: (error: DrainError) => void;
}

/** Finds the nodes that requests for drains name. Callers that ask for one node at the same time share one lookup. */
export class NodeLookups {
  readonly #options: NodeLookupOptions;
  /** The lookups in progress, by reference and deadline. */
  readonly #underWay = new Map<string, Lookup>();

  constructor(options: NodeLookupOptions) {
    this.#options = options;
  }

  /**
   * A node that is being drained already is not looked up, unless the request depends on its state. The error is
   * `Superseded` if the announcement of the request does not apply any more.
   */
  async find(asked: Asked, limit: DrainLimit | undefined, signal: AbortSignal): Promise<LookedUp> {
    const { node, deadline, holdsWhile } = asked;
    const isKnown = node.by === "id" && !signal.aborted && holdsWhile === undefined;
    const running = isKnown ? this.#options.running(node.value) : undefined;
    if (running !== undefined) return { node: running };
    const key = JSON.stringify([node.by, node.value, deadline, holdsWhile]);
    const known = this.#underWay.get(key);
    if (known?.signal === signal && endsFirst(known.limit, limit)) {
      const found = await known.found;
      // The lookup's time was up, and this caller's is not.
      const goesOn = wasOutOfTime(found.error) && known.limit?.at !== limit?.at;
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
      const resolve = (within: AbortSignal) => this.#resolve(asked, limit, { signal: within, repeats });
      return { node: await withLimit({ clock, limit, signal }, resolve) };
    } catch (error) {
      return { error, trouble };
    }
  }

  async #resolve(asked: Asked, limit: DrainLimit | undefined, within: Within): Promise<Node> {
    const { cloud, clock } = this.#options;
    const { node, holdsWhile } = asked;
    if (holdsWhile === undefined) {
      const known = node.by === "id" ? cloud.recall(node.value) : undefined;
      return known ?? this.#ask(asked, limit, within);
    }
    // The remembered state may be older than the state that the request is about, and so may the cloud's first answer.
    const { machine, saidAt = Number.NEGATIVE_INFINITY } = holdsWhile;
    for (;;) {
      const found = await this.#ask(asked, limit, within);
      const isOff = found.isOff ?? false;
      if (isOff === (machine === "stops")) return found;
      if (machine === "runs")
        throw new Superseded(`${found.id} does not run any more: what was announced has happened`);
      if (clock.now() >= saidAt + STATE_LAG_MS) throw new Superseded(`${found.id} is running: it does not leave`);
      await clock.sleep(STATE_READ_INTERVAL_MS, within.signal);
    }
  }

  /** Temporary failures are retried until the request's limit. */
  #ask(asked: Asked, limit: DrainLimit | undefined, { signal, repeats }: Within): Promise<Node> {
    const { cloud, clock, onLookupFailed } = this.#options;
    const { node, askedAt, deadline } = asked;
    const until = () => limit?.at ?? askedAt + TRIED_WITHOUT_LIMIT_MS;
    const by = { ...toFind(deadline === undefined ? {} : { deadline }, signal), repeats };
    const onFailure = (error: DrainError) => onLookupFailed?.(node, error);
    return repeatWhilePassing({ clock, until, signal, onFailure }, () => cloud.resolve(node, by));
  }
}

function wasOutOfTime(error: unknown): boolean {
  return error instanceof LimitPassed || (error !== undefined && asDrainError(error).isPassing);
}

/** Whether the first one ends no later than the second one. */
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
