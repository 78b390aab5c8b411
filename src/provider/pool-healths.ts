import { isIP } from "node:net";
import type { Clock } from "../drain/clock.ts";
import { type CallFor, idOf, type Pool, type PoolHealth, type Registration } from "../drain/cloud-provider.ts";
import type { ClassicHealth, ReadTargets } from "./classic-health.ts";
import type { CrossZoneSettings } from "./cross-zone.ts";
import type { InstanceZones } from "./instance-zones.ts";
import type { KnownTerms } from "./known-terms.ts";
import type { MembershipIndex } from "./membership-index.ts";
import type { PoolSettings } from "./pool-settings.ts";
import { registrationOf, zoneOf } from "./target-groups.ts";
import type { TargetReads } from "./target-reads.ts";

/** Health of a classic load balancer's instances is read only for callers that ask. */
const CLASSIC_KEPT_MS = 10_000;

export interface PoolHealthsOptions {
  readonly clock: Clock;
  readonly index: MembershipIndex;
  readonly reads: TargetReads;
  readonly classicHealth: ClassicHealth;
  readonly terms: KnownTerms;
  readonly crossZone: CrossZoneSettings;
  readonly zones: InstanceZones;
}

type Targets = ReadTargets["targets"];

/** How many healthy targets pools have, from the reads that drains make anyway where those are new enough. */
export class PoolHealths {
  readonly #options: PoolHealthsOptions;
  /** One function for each list: a caller that counts sees by it whether the list is new. */
  readonly #zonesOf = new WeakMap<Targets, (target: string) => string | undefined>();

  constructor(options: PoolHealthsOptions) {
    this.#options = options;
  }

  /** See `CloudProvider.knownHealth`. */
  known(pool: Pool): PoolHealth | undefined {
    const { crossZone, zones } = this.#options;
    const read = this.#known(pool);
    const terms = this.#options.terms.recall(pool);
    if (read === undefined || terms === undefined) return undefined;
    const isZonal = isZonalBy(terms, () => crossZone.recall(this.#loadBalancersOf(pool)));
    if (isZonal === undefined) return undefined;
    const areKnown = !isZonal || this.#zonesOf.has(read.targets) || zones.knows(instancesOf(read.targets));
    return areKnown ? this.#health(read, terms, isZonal) : undefined;
  }

  /** See `CloudProvider.healthOf`. */
  async of(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    const [read, terms, isOn] = await Promise.all([
      this.#readSince(pool, notBefore, by),
      this.#options.terms.of(pool, by),
      this.#isCrossZone(pool, by),
    ]);
    const isZonal = terms !== undefined && isZonalBy(terms, () => isOn) === true;
    if (isZonal) await this.#options.zones.learn(instancesOf(read.targets), by);
    return this.#health(read, terms, isZonal);
  }

  /** See `CloudProvider.strictHealthOf`. */
  async strictlyOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    const { zones, index } = this.#options;
    // The listing of a classic load balancer names its instances before their health is known.
    const listed = [...(index.pools.classics.get(pool.id)?.instances ?? [])];
    const [read] = await Promise.all([this.#readSince(pool, notBefore, by), zones.learn(listed, by)]);
    await zones.learn(instancesOf(read.targets), by);
    return this.#health(read, undefined, true);
  }

  /** Learns beforehand what `of` would ask besides the pool's terms and targets. */
  async prepare(pool: Pool, by: CallFor): Promise<void> {
    await this.#isCrossZone(pool, by);
  }

  /** What the load balancers of the pool say. Only those kinds are asked that may have it off, or are not known. */
  async #isCrossZone(pool: Pool, by: CallFor): Promise<boolean> {
    const { terms, crossZone } = this.#options;
    if (pool.kind !== "nlb" && pool.kind !== "gwlb" && pool.kind !== "unknown") return true;
    const itself = terms.recall(pool)?.crossZone ?? "as-load-balancer";
    return itself === "as-load-balancer" ? crossZone.areOn(this.#loadBalancersOf(pool), by) : itself === "on";
  }

  #loadBalancersOf({ id }: Pool): readonly string[] {
    return this.#options.index.pools.groups.get(id)?.loadBalancerArns ?? [];
  }

  #known(pool: Pool): ReadTargets | undefined {
    const { clock, index, classicHealth } = this.#options;
    if (pool.kind !== "classic") {
      const group = index.pools.groups.get(pool.id);
      return group?.isWhole === true ? { at: group.readAt, targets: group.registrations } : undefined;
    }
    const known = classicHealth.known(pool);
    return known !== undefined && clock.now() - known.at <= CLASSIC_KEPT_MS ? known : undefined;
  }

  async #readSince(pool: Pool, notBefore: number, by: CallFor): Promise<ReadTargets> {
    const known = this.#known(pool);
    return known !== undefined && known.at >= notBefore ? known : this.#read(pool, notBefore, by);
  }

  async #read(pool: Pool, notBefore: number, by: CallFor): Promise<ReadTargets> {
    const { index, reads, classicHealth } = this.#options;
    if (pool.kind === "classic") return classicHealth.readSince(pool, notBefore, by);
    const group = index.pools.groups.get(pool.id);
    if (group !== undefined) group.isGuarded = true;
    const read = await reads.readSince(pool.id, notBefore, by);
    index.learned(pool.id, read);
    // The answer to a later call may have come first.
    const known = this.#known(pool);
    if (known !== undefined && known.at >= read.at) return known;
    return { at: read.at, targets: read.targets.map((listed) => registrationOf(pool, listed)) };
  }

  #health({ at, targets }: ReadTargets, terms: PoolSettings | undefined, isZonal: boolean): PoolHealth {
    return {
      at,
      targets,
      countNodes: () => new Set(targets.map(({ target }) => idOf(target))).size,
      ...(terms?.minimum && { minimum: terms.minimum }),
      ...(isZonal && { zoneOf: this.#zoneOf(targets) }),
    };
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

/** Undefined: it follows its load balancer, which `isOn` does not know. */
function isZonalBy({ crossZone }: PoolSettings, isOn: () => boolean | undefined): boolean | undefined {
  if (crossZone !== "as-load-balancer") return crossZone === "off";
  const on = isOn();
  return on === undefined ? undefined : !on;
}

/** Of those that are registered by their ids: an address is listed with its zone. */
function instancesOf(targets: Targets): readonly string[] {
  return [...new Set(targets.map(({ target }) => idOf(target)))].filter((id) => isIP(id) === 0);
}
