import type { Clock } from "../../src/drain/clock.ts";
import type { PoolHealth } from "../../src/drain/cloud-provider.ts";
import type { World, WorldPool, WorldTarget } from "./world.ts";

/** How a pool fares, as a process was shown it. */
export interface ShownHealth {
  readonly life: number;
  readonly askedAt: number;
  readonly arrivedAt: number;
  /** All that are listed, and whether they are healthy. */
  readonly listed: ReadonlyMap<WorldTarget, boolean>;
}

/** All that processes were shown of how pools fare. */
export class ShownHealths {
  readonly #byPool = new Map<WorldPool, ShownHealth[]>();

  add(pool: WorldPool, shown: ShownHealth): void {
    const known = this.#byPool.get(pool) ?? [];
    known.push(shown);
    this.#byPool.set(pool, known);
  }

  of(pool: WorldPool): readonly ShownHealth[] {
    return this.#byPool.get(pool) ?? [];
  }
}

export interface HealthReadsOptions {
  readonly world: World;
  readonly healths: ShownHealths;
  readonly clock: Clock;
  readonly life: number;
}

/** What one process remembers of how pools fare. */
export class HealthReads {
  readonly #options: HealthReadsOptions;
  readonly #known = new Map<WorldPool, PoolHealth>();

  constructor(options: HealthReadsOptions) {
    this.#options = options;
  }

  known(pool: WorldPool): PoolHealth | undefined {
    return this.#known.get(pool);
  }

  /** Takes down what was asked for at `askedAt` and was so at `shownAt`. Later answers may come first. */
  learn(pool: WorldPool, askedAt: number, shownAt: number): PoolHealth {
    const { world, healths, clock, life } = this.#options;
    const known = this.#known.get(pool);
    if (known !== undefined && known.at > askedAt) return known;
    const isGone = (pool.vanishedAt ?? Number.POSITIVE_INFINITY) <= shownAt;
    const all = isGone ? [] : [...pool.targets.values()];
    const stateOf = (target: (typeof all)[number]) => world.shown(target, shownAt).state;
    const listed = all.filter((target) => stateOf(target) !== "absent");
    const fare = new Map(listed.map((target) => [target, world.isHealthy(target, shownAt)]));
    healths.add(pool, { life, askedAt, arrivedAt: clock.now(), listed: fare });
    const zones = new Map(listed.map((target) => [target.name, world.zoneOf(target)]));
    const health = {
      at: askedAt,
      targets: listed.map((target) => ({
        target: target.name,
        state: stateOf(target),
        isHealthy: fare.get(target) === true,
      })),
      countNodes: () => new Set(listed.map(({ registeredBy }) => registeredBy)).size,
      ...(pool.isZonal ? { zoneOf: (target: string) => zones.get(target) } : {}),
    };
    this.#known.set(pool, health);
    return health;
  }
}
