import type { PoolHealth } from "./cloud-provider.ts";
import type { Count } from "./guard.ts";

/**
 * - `taken`: it is being deregistered, or was.
 * - `doomed`: its machine goes whatever anybody says, and it serves until then.
 */
export type Going = "taken" | "doomed";

interface Part {
  readonly zone?: string;
  registered: number;
  healthy: number;
  /** Of the healthy ones. */
  taken: number;
  doomed: number;
}

/**
 * Counts one pool, and who leaves it. A read is counted once, however many drains ask: hundreds of drains in pools of a
 * thousand targets would count for minutes otherwise.
 */
export class PoolTally {
  readonly #going = new Map<string, Going>();
  /** What is counted below. */
  #counted: PoolHealth | undefined;
  /** The part of each healthy target. */
  #partOf = new Map<string, Part>();
  #whole: Part = emptyPart();

  get isEmpty(): boolean {
    return this.#going.size === 0;
  }

  goes(target: string, going: Going): void {
    this.#count(target, -1);
    this.#going.set(target, going);
    this.#count(target, 1);
  }

  stays(target: string): void {
    this.#count(target, -1);
    this.#going.delete(target);
  }

  /**
   * One count for each part of the pool in which one of `own` is healthy. For whom the doomed count as gone: whoever can
   * be told no. Where all are doomed somebody has to be the last.
   */
  countsOf(own: readonly string[], health: PoolHealth, forWhom: "voluntary" | "involuntary"): readonly Count[] {
    this.#read(health);
    const counts = new Map<Part, { own: number; leaving: number }>();
    for (const target of new Set(own)) {
      const part = this.#partOf.get(target);
      if (part === undefined) continue;
      const others = part.taken + (forWhom === "voluntary" ? part.doomed : 0);
      const count = counts.get(part) ?? { own: 0, leaving: others };
      const going = this.#going.get(target);
      const isCounted = going === "taken" || (going === "doomed" && forWhom === "voluntary");
      counts.set(part, { own: count.own + 1, leaving: count.leaving - (isCounted ? 1 : 0) });
    }
    return [...counts].map(([{ zone, registered, healthy }, count]) => {
      return { ...(zone === undefined ? {} : { zone }), registered, healthy, ...count };
    });
  }

  #read(health: PoolHealth): void {
    const { targets, zoneOf } = health;
    if (this.#counted?.targets === targets && this.#counted.zoneOf === zoneOf) return;
    this.#counted = health;
    this.#partOf = new Map();
    this.#whole = emptyPart();
    const parts = new Map<string, Part>();
    for (const { target, isHealthy } of targets) {
      const zone = zoneOf?.(target);
      // Whose zone nobody knows can't be relied on in any.
      const part = zone === undefined ? this.#whole : (parts.get(zone) ?? { ...emptyPart(), zone });
      if (zone !== undefined) parts.set(zone, part);
      for (const one of new Set([part, this.#whole])) {
        one.registered += 1;
        if (isHealthy) one.healthy += 1;
      }
      if (isHealthy) this.#partOf.set(target, part);
    }
    for (const target of this.#going.keys()) this.#count(target, 1);
  }

  #count(target: string, by: 1 | -1): void {
    const going = this.#going.get(target);
    const part = this.#partOf.get(target);
    if (going === undefined || part === undefined) return;
    for (const one of new Set([part, this.#whole])) one[going] += by;
  }
}

function emptyPart(): Part {
  return { registered: 0, healthy: 0, taken: 0, doomed: 0 };
}
