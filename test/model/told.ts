import type { RegistrationState } from "../../src/drain/cloud-provider.ts";
import type { World, WorldNode, WorldPool, WorldTarget } from "./world.ts";

/** One answer of the cloud about one target, as it reached a process. */
interface Answer {
  readonly by: "search" | "look";
  /** Which process. */
  readonly life: number;
  readonly askedAt: number;
  /** What it shows was so then. */
  readonly shownAt: number;
  readonly state: RegistrationState;
}

/**
 * What the product was told. A hold is judged by the world's own books, and by this: nobody can know of a registration
 * that came and went without an answer that shows it.
 */
export class Told {
  readonly #world: World;
  readonly #answers = new Map<WorldTarget, Answer[]>();
  /** When a search has last asked for all that a node has in a pool, and in which life. */
  readonly #searches = new Map<string, { readonly life: number; readonly askedAt: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  tell(target: WorldTarget, answer: Answer): void {
    const answers = this.#answers.get(target) ?? [];
    answers.push(answer);
    this.#answers.set(target, answers);
  }

  searched(pool: WorldPool, node: WorldNode, search: { readonly life: number; readonly askedAt: number }): void {
    this.#searches.set(`${pool.id}|${node.id}`, search);
  }

  /** Whether the process has been shown all that the node has in the pool since then. */
  wasSearched(pool: WorldPool, node: WorldNode, life: number, since: number): boolean {
    const search = this.#searches.get(`${pool.id}|${node.id}`);
    return search?.life === life && search.askedAt >= since;
  }

  /** Whether the process was shown the registration that there is now. */
  wasShownLive(target: WorldTarget, life: number): boolean {
    const { from = Number.POSITIVE_INFINITY } = target.stretches.at(-1) ?? {};
    const answers = this.#answers.get(target) ?? [];
    return answers.some((one) => one.life === life && one.shownAt >= from && (one.state === "live" || one.state === "initial"));
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
    // A process forgets the looks of those before it; what they found is in the ledger.
    const answers = (this.#answers.get(target) ?? []).filter((one) => one.by === "search" || one.life === life);
    const mine = answers.filter(({ shownAt }) => this.#world.ownerOf(target, shownAt) === node);
    const live = mine.filter(({ state }) => state === "live" || state === "initial");
    const lastLive = live.reduce((latest, { shownAt }) => Math.max(latest, shownAt), Number.NEGATIVE_INFINITY);
    if (Number.isFinite(lastLive)) {
      const goneAt = this.#world.goneAt(target, node, lastLive);
      return goneAt === undefined ? "live" : Math.max(goneAt, this.#cameAndWent(target, mine) ?? goneAt);
    }
    const first = answers.find(({ state }) => state === "draining");
    return this.#cameAndWent(target, mine) ?? first?.shownAt;
  }

  /** Absent, and then draining: it was registered between the two. */
  #cameAndWent(target: WorldTarget, answers: readonly Answer[]): number | undefined {
    const looks = answers.filter(({ by }) => by === "look");
    const again = looks.findLast(({ state }, index) => state === "draining" && looks[index - 1]?.state === "absent");
    if (again === undefined) return undefined;
    return target.stretches.findLast(({ to }) => to !== undefined && to <= again.shownAt)?.to;
  }
}
