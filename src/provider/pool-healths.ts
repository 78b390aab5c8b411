import { isIP } from "node:net";
import { type CallFor, idOf, type Pool, type PoolHealth, type Registration } from "../drain/cloud-provider.ts";
import type { CrossZoneSettings } from "./cross-zone.ts";
import type { InstanceZones } from "./instance-zones.ts";
import type { ReadTargets } from "./known-pool.ts";
import type { PoolSettings } from "./pool-settings.ts";
import type { Pools } from "./pools.ts";
import { zoneOf } from "./target-groups.ts";

export interface PoolHealthsOptions {
  readonly pools: Pools;
  readonly crossZone: CrossZoneSettings;
  readonly zones: InstanceZones;
}

type Targets = ReadTargets["targets"];

/** The numbers of healthy targets of pools, from the reads that drains make anyway, if they are new enough. */
export class PoolHealths {
  readonly #options: PoolHealthsOptions;
  /** One function for each list, so that a caller that counts sees by it whether the list is new. */
  readonly #zonesOf = new WeakMap<Targets, (target: string) => string | undefined>();
  /** By list: instances whose zones were unknown at the last request. Hundreds of drains ask about one list of a thousand. */
  readonly #unknownIn = new WeakMap<Targets, readonly string[]>();

  constructor(options: PoolHealthsOptions) {
    this.#options = options;
  }

  /** See `CloudProvider.knownHealth`. */
  known(pool: Pool): PoolHealth | undefined {
    const { pools, crossZone } = this.#options;
    const its = pools.of(pool);
    const read = its.knownHealth();
    const settings = its.settings.recall();
    if (read === undefined || settings === undefined) return undefined;
    const isZonal = isZonalBy(settings, () => crossZone.recall(its.loadBalancerArns));
    if (isZonal === undefined) return undefined;
    return !isZonal || this.#areZonesKnown(read.targets) ? this.#health(read, settings, isZonal) : undefined;
  }

  /** See `CloudProvider.healthOf`. */
  async of(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    const [read, settings, isOn] = await Promise.all([
      this.#readSince(pool, notBefore, by),
      this.#options.pools.of(pool).settings.of(by),
      this.#isCrossZone(pool, by),
    ]);
    const isZonal = settings !== undefined && isZonalBy(settings, () => isOn) === true;
    if (isZonal) await this.#options.zones.learn(this.#unknown(read.targets), by);
    return this.#health(read, settings, isZonal);
  }

  /** See `CloudProvider.strictHealthOf`. */
  async strictlyOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    const { zones, pools } = this.#options;
    // A listing may contain instances before their health is known.
    const listed = [...pools.of(pool).instances];
    const [read] = await Promise.all([this.#readSince(pool, notBefore, by), zones.learn(listed, by)]);
    await zones.learn(this.#unknown(read.targets), by);
    return this.#health(read, pools.of(pool).settings.recall(), true);
  }

  /** See `CloudProvider.knownStrictHealth`. */
  strictlyKnown(pool: Pool): PoolHealth | undefined {
    const its = this.#options.pools.of(pool);
    const read = its.knownHealth();
    if (read === undefined || !this.#areZonesKnown(read.targets)) return undefined;
    return this.#health(read, its.settings.recall(), true);
  }

  /** Reads in advance what `of` needs in addition to the pool's settings and targets. */
  async prepare(pool: Pool, by: CallFor): Promise<void> {
    await this.#isCrossZone(pool, by);
  }

  /** From the load balancers of the pool. Only those of kinds that may have it off, or are unknown, are read. */
  async #isCrossZone(pool: Pool, by: CallFor): Promise<boolean> {
    const { pools, crossZone } = this.#options;
    if (pool.kind !== "nlb" && pool.kind !== "gwlb" && pool.kind !== "unknown") return true;
    const { settings, loadBalancerArns } = pools.of(pool);
    const itself = settings.recall()?.crossZone ?? "as-load-balancer";
    return itself === "as-load-balancer" ? crossZone.areOn(loadBalancerArns, by) : itself === "on";
  }

  async #readSince(pool: Pool, notBefore: number, by: CallFor): Promise<ReadTargets> {
    const its = this.#options.pools.of(pool);
    const known = its.knownHealth();
    return known !== undefined && known.at >= notBefore ? known : its.readHealth(notBefore, by);
  }

  #health({ at, targets }: ReadTargets, settings: PoolSettings | undefined, isZonal: boolean): PoolHealth {
    return {
      at,
      targets,
      countNodes: () => new Set(targets.map(({ target }) => idOf(target))).size,
      ...(settings?.minimum && { minimum: settings.minimum }),
      ...(isZonal && { zoneOf: this.#zoneOf(targets) }),
    };
  }

  #areZonesKnown(targets: Targets): boolean {
    return this.#zonesOf.has(targets) || this.#unknown(targets).length === 0;
  }

  #unknown(targets: Targets): readonly string[] {
    const { zones } = this.#options;
    const unknown = (this.#unknownIn.get(targets) ?? instancesOf(targets)).filter((id) => !zones.knows([id]));
    this.#unknownIn.set(targets, unknown);
    return unknown;
  }

  #zoneOf(targets: Targets): (target: string) => string | undefined {
    const known = this.#zonesOf.get(targets);
    if (known !== undefined) return known;
    const listed = new Map(targets.map((one) => [one.target, zoneOf(one as Registration)]));
    const zone = (target: string) => listed.get(target) ?? this.#options.zones.of(idOf(target));
    this.#zonesOf.set(targets, zone);
    return zone;
  }
}

/** Undefined: it follows its load balancer, for which `isOn` has no answer. */
function isZonalBy({ crossZone }: PoolSettings, isOn: () => boolean | undefined): boolean | undefined {
  if (crossZone !== "as-load-balancer") return crossZone === "off";
  const on = isOn();
  return on === undefined ? undefined : !on;
}

/** Those that are registered by id. An address is listed with its zone. */
function instancesOf(targets: Targets): readonly string[] {
  return [...new Set(targets.map(({ target }) => idOf(target)))].filter((id) => isIP(id) === 0);
}
