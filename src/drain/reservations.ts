import type { Pool, PoolHealth, Registration } from "./cloud-provider.ts";
import { type GuardOptions, type Standing, standingOf } from "./guard.ts";
import { type Going, PoolTally } from "./pool-tally.ts";

/**
 * Who leaves which pool, over all drains: each is judged without those that others take away. Nothing here waits, so
 * that whoever judges and reserves in one breath can't be overtaken.
 */
export class Reservations {
  readonly #minHealthy: GuardOptions["minHealthy"];
  /** By pool id: of pools that somebody leaves. */
  readonly #tallies = new Map<string, PoolTally>();

  constructor(minHealthy: GuardOptions["minHealthy"]) {
    this.#minHealthy = minHealthy;
  }

  /** Where the pool would stand without these targets of one node, in each part where one of them is healthy. */
  standings(
    pool: Pool,
    targets: readonly string[],
    health: PoolHealth,
    forWhom: "voluntary" | "involuntary",
  ): readonly Standing[] {
    const tally = this.#tallies.get(pool.id) ?? new PoolTally();
    return tally
      .countsOf(targets, health, forWhom)
      .map((count) => standingOf(count, this.#minHealthy))
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
