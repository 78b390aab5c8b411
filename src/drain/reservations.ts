import type { Pool, PoolHealth, Registration } from "./cloud-provider.ts";
import {
  amountOf,
  type Count,
  type GuardOptions,
  type Refusal,
  type Standing,
  standingOf,
  tooManyDrains,
} from "./guard.ts";

/**
 * Which targets leave which pool, over all drains: each drain is judged without the targets that others deregister.
 * Nothing here is asynchronous, so that no other drain can come between a check and its reservation.
 */
export class Reservations {
  readonly #minHealthy: GuardOptions["minHealthy"];
  /** By pool id, for pools that a node leaves. */
  readonly #tallies = new Map<string, PoolTally>();

  constructor(minHealthy: GuardOptions["minHealthy"]) {
    this.#minHealthy = minHealthy;
  }

  /**
   * What each part of the pool would have without these targets of one node, for each part in which one of them is
   * healthy.
   */
  standings(
    pool: Pool,
    targets: readonly string[],
    health: PoolHealth,
    forWhom: "voluntary" | "involuntary",
  ): readonly Standing[] {
    const tally = this.#tallies.get(pool.id) ?? new PoolTally();
    return tally
      .countsOf(targets, health, forWhom)
      .map((count) => standingOf(count, this.#minHealthy, health.minimum))
      .filter((standing) => standing !== undefined);
  }

  reserve(registrations: Iterable<Registration>, going: Going): void {
    for (const { pool, target } of registrations) {
      const tally = this.#tallies.get(pool.id) ?? new PoolTally();
      this.#tallies.set(pool.id, tally);
      tally.goes(target, going);
    }
  }

  release(registrations: Iterable<Registration>): void {
    for (const { pool, target } of registrations) {
      const tally = this.#tallies.get(pool.id);
      tally?.stays(target);
      if (tally?.isEmpty === true) this.#tallies.delete(pool.id);
    }
  }
}

/** A drain as the ceiling counts it. Requests that join the drain may change this. */
interface CountedDrain {
  /** Its callers accept refusal. */
  readonly isRefusable: boolean;
}

/**
 * Limits the number of voluntary drains that run at once: a selector that matches every node must not empty a cluster.
 */
export class Ceiling {
  readonly #options: GuardOptions;
  readonly #running = new Set<CountedDrain>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Why one more drain would be too many. `nodes`: all that are registered in the pools of the node in question. */
  refusal(nodes: number): Refusal | undefined {
    const { maxVoluntary } = this.#options;
    const allowed = amountOf(maxVoluntary, nodes);
    const running = [...this.#running].filter(({ isRefusable }) => isRefusable).length;
    if (running < allowed || isEverything(maxVoluntary)) return undefined;
    return tooManyDrains({ running, allowed, ...("count" in maxVoluntary ? {} : { nodes }) }, this.#options);
  }

  enter(drain: CountedDrain): void {
    this.#running.add(drain);
  }

  leave(drain: CountedDrain): void {
    this.#running.delete(drain);
  }
}

function isEverything(share: GuardOptions["maxVoluntary"]): boolean {
  return "percent" in share && share.percent >= 100;
}

/**
 * - `leaving`: it is being deregistered, or was.
 * - `doomed`: its machine terminates in any case, and it serves until then.
 */
export type Going = "leaving" | "doomed";

interface Part {
  readonly zone?: string;
  registered: number;
  serving: number;
  healthy: number;
  /** The healthy ones that leave. */
  leaving: number;
  doomed: number;
}

/**
 * Counts one pool and the targets that leave it. A read is counted once for all drains: otherwise hundreds of drains in
 * pools of a thousand targets would count for minutes.
 */
export class PoolTally {
  readonly #going = new Map<string, Going>();
  /** The data that the fields below count. */
  #counted: PoolHealth | undefined;
  /** The part of each target that is healthy, or may be. */
  #partOf = new Map<string, Part>();
  /** Targets that may be healthy. They do not count as healthy in any part. */
  #uncertain = new Set<string>();
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
   * One count for each part of the pool in which a target of `own` is healthy. For a drain that can be refused, doomed
   * targets count as gone. If all are doomed, one has to be the last.
   */
  countsOf(own: readonly string[], health: PoolHealth, forWhom: "voluntary" | "involuntary"): readonly Count[] {
    this.#read(health);
    const counts = new Map<Part, { own: number; leaving: number; uncertain: number }>();
    for (const target of new Set(own)) {
      const part = this.#partOf.get(target);
      if (part === undefined) continue;
      const others = part.leaving + (forWhom === "voluntary" ? part.doomed : 0);
      const count = counts.get(part) ?? { own: 0, leaving: others, uncertain: 0 };
      const going = this.#going.get(target);
      const isUncertain = this.#uncertain.has(target);
      const isCounted = !isUncertain && (going === "leaving" || (going === "doomed" && forWhom === "voluntary"));
      counts.set(part, {
        own: count.own + 1,
        leaving: count.leaving - (isCounted ? 1 : 0),
        uncertain: count.uncertain + (isUncertain ? 1 : 0),
      });
    }
    return [...counts].map(([{ zone, registered, serving, healthy }, { uncertain, ...count }]) => {
      // It counts as healthy because it leaves, so that those that remain are the same.
      const now = { registered, serving, healthy: healthy + uncertain };
      return { ...(zone === undefined ? {} : { zone }), ...now, ...count };
    });
  }

  #read(health: PoolHealth): void {
    const { targets, zoneOf } = health;
    if (this.#counted?.targets === targets && this.#counted.zoneOf === zoneOf) return;
    this.#counted = health;
    this.#partOf = new Map();
    this.#uncertain = new Set();
    this.#whole = emptyPart();
    const parts = new Map<string, Part>();
    for (const { target, state, isHealthy, mayBeHealthy = false } of targets) {
      const zone = zoneOf?.(target);
      // A target of an unknown zone counts in no zone.
      const part = zone === undefined ? this.#whole : (parts.get(zone) ?? { ...emptyPart(), zone });
      if (zone !== undefined) parts.set(zone, part);
      for (const one of new Set([part, this.#whole])) {
        one.registered += 1;
        if (state !== "draining") one.serving += 1;
        if (isHealthy) one.healthy += 1;
      }
      if (isHealthy || mayBeHealthy) this.#partOf.set(target, part);
      if (!isHealthy && mayBeHealthy) this.#uncertain.add(target);
    }
    for (const target of this.#going.keys()) this.#count(target, 1);
  }

  #count(target: string, by: 1 | -1): void {
    const going = this.#going.get(target);
    const part = this.#partOf.get(target);
    if (going === undefined || part === undefined || this.#uncertain.has(target)) return;
    for (const one of new Set([part, this.#whole])) one[going] += by;
  }
}

function emptyPart(): Part {
  return { registered: 0, serving: 0, healthy: 0, leaving: 0, doomed: 0 };
}
