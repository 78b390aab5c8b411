import { isRegistered, type Shown, type World, type WorldNode, type WorldPool, type WorldTarget } from "./world.ts";

/** One answer of the cloud about one target, as it reached a process. */
export interface Answer extends Shown {
  readonly by: "search" | "look";
  /** Which process. */
  readonly life: number;
  readonly askedAt: number;
  /** What it shows was so then. */
  readonly shownAt: number;
  /** The id of the node that a search was about. */
  readonly node?: string;
}

/** The cloud has said yes to a deregistration. */
interface Accepted {
  /** When it reached the cloud. */
  readonly at: number;
  /** When the answer reached the process. */
  readonly answeredAt: number;
}

export interface ShownTo {
  readonly life: number;
  readonly node: string;
  readonly isFound: boolean;
}

const OLD_READ_MAX_MS = 20_000;

/**
 * What the product was told. A hold is judged by the world's own books, and by this: nobody can know of a registration
 * that came and went without an answer that shows it.
 */
export class Told {
  readonly #world: World;
  readonly #answers = new Map<WorldTarget, Answer[]>();
  /** When a search has last asked for all that a node has in a pool, and in which life. */
  readonly #searches = new Map<string, { readonly life: number; readonly askedAt: number }>();

  /** When the cloud has said yes to deregistrations: nobody knows at once of one that does nothing. */
  readonly #accepted = new Map<WorldTarget, Accepted[]>();

  constructor(world: World) {
    this.#world = world;
  }

  tell(target: WorldTarget, answer: Answer): void {
    const answers = this.#answers.get(target) ?? [];
    answers.push(answer);
    this.#answers.set(target, answers);
  }

  accepted(target: WorldTarget, accepted: Accepted): void {
    this.#accepted.set(target, [...(this.#accepted.get(target) ?? []), accepted]);
  }

  searched(pool: WorldPool, node: WorldNode, search: { readonly life: number; readonly askedAt: number }): void {
    this.#searches.set(`${pool.id}|${node.id}`, search);
  }

  /** Whether the process has been shown all that the node has in the pool since then. */
  wasSearched(pool: WorldPool, node: WorldNode, life: number, since: number): boolean {
    const search = this.#searches.get(`${pool.id}|${node.id}`);
    return search?.life === life && search.askedAt >= since;
  }

  /**
   * Whether the process was shown the registration that there is now, as the node's: a look at what was the node's when
   * it was found (`isFound`) says so too, and one at what was another's does not.
   */
  wasShownLive(target: WorldTarget, { life, node, isFound }: ShownTo): boolean {
    const now = target.stretches.at(-1);
    const answers = (this.#answers.get(target) ?? []).filter((one) => one.life === life && one.stretch === now);
    return answers.some((one) => isRegistered(one) && (one.by === "look" ? isFound : one.node === node));
  }

  /** The last answer of a look. */
  lastLook(target: WorldTarget, life: number): Answer | undefined {
    return this.#answers.get(target)?.findLast((answer) => answer.by === "look" && answer.life === life);
  }

  /**
   * Since when a careful reader of all answers would hold the node's registration: since it ended in the world for the
   * last time that an answer gives away. What was never shown registered is held since it was first shown draining.
   * `live`: the last that was shown is a registration that has not ended.
   */
  heldSince(target: WorldTarget, node: WorldNode, life: number): number | "live" | undefined {
    const asked = this.#accepted.get(target) ?? [];
    const all = this.#answers.get(target) ?? [];
    // What the search after a restart says of what is held is not heeded: see docs/limits.md.
    const isHeldBy = (one: Answer) =>
      all.some(
        ({ life: before, state }) =>
          before < one.life && (state === "draining" || asked.some(({ at }) => at < one.shownAt)),
      );
    // A process forgets the looks of those before it; what they found is in the ledger.
    const answers = all.filter((one) => (one.by === "search" ? !isHeldBy(one) : one.life === life));
    const mine = answers.filter(({ shownAt }) => this.#world.ownerOf(target, shownAt) === node);
    const live = mine.filter((one) => isRegistered(one) && !asked.some((yes) => isOldRead(one, yes, mine)));
    const lastLive = live.reduce<Answer | undefined>(later, undefined);
    if (lastLive !== undefined) {
      const accepted = asked.find(({ at }) => at >= lastLive.shownAt)?.at;
      const ends = [this.#world.goneAt(target, node, lastLive), accepted].filter((at) => at !== undefined);
      return ends.length === 0 ? "live" : Math.max(Math.min(...ends), cameAndWent(mine) ?? 0);
    }
    return cameAndWent(mine) ?? answers.find(({ state }) => state === "draining")?.shownAt;
  }
}

/**
 * What is still listed as before, shortly after AWS has said yes, is taken for an old read: ARCHITECTURE says for how
 * long. Not what is new, or was seen leaving in between.
 */
function isOldRead(one: Answer, { answeredAt }: Accepted, answers: readonly Answer[]): boolean {
  const afterMs = one.askedAt - answeredAt;
  if (one.state !== "live" || afterMs <= 0 || afterMs >= OLD_READ_MAX_MS) return false;
  const between = (other: Answer) => other.askedAt >= answeredAt && other.askedAt < one.askedAt;
  return !answers.some((other) => other.by === "look" && between(other) && !isRegistered(other));
}

function later(one: Answer | undefined, other: Answer): Answer {
  return one === undefined || other.shownAt >= one.shownAt ? other : one;
}

/** Absent, and then draining: it was registered between the two. When that ended. */
function cameAndWent(answers: readonly Answer[]): number | undefined {
  const looks = answers.filter(({ by }) => by === "look");
  const again = looks.findLast(({ state }, index) => state === "draining" && looks[index - 1]?.state === "absent");
  return again?.stretch?.to;
}
