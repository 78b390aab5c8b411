import { isIP } from "node:net";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Pool, PoolHealth, Registration } from "../drain/cloud-provider.ts";
import type { ClassicHealth, ReadTargets } from "./classic-health.ts";
import type { InstanceZones } from "./instance-zones.ts";
import type { KnownTerms } from "./known-terms.ts";
import type { MembershipIndex } from "./membership-index.ts";
import { idOf, registrationOf, zoneOf } from "./target-groups.ts";
import type { TargetReads } from "./target-reads.ts";

/** Health of a classic load balancer's instances is read only for callers that ask. */
const CLASSIC_KEPT_MS = 10_000;

export interface PoolHealthsOptions {
  readonly clock: Clock;
  readonly index: MembershipIndex;
  readonly reads: TargetReads;
  readonly classicHealth: ClassicHealth;
  readonly terms: KnownTerms;
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
    const { terms, zones } = this.#options;
    const read = this.#known(pool);
    const isZonal = terms.recall(pool)?.isZonal;
    if (read === undefined || isZonal === undefined) return undefined;
    const areKnown = !isZonal || this.#zonesOf.has(read.targets) || zones.knows(instancesOf(read.targets));
    return areKnown ? this.#health(read, isZonal) : undefined;
  }

  /** See `CloudProvider.healthOf`. */
  async of(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    const known = this.#known(pool);
    const [read, terms] = await Promise.all([
      known !== undefined && known.at >= notBefore ? known : this.#read(pool, by),
      this.#options.terms.of(pool, by),
    ]);
    const isZonal = terms?.isZonal === true;
    if (isZonal) await this.#options.zones.learn(instancesOf(read.targets), by);
    return this.#health(read, isZonal);
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

  async #read(pool: Pool, by: CallFor): Promise<ReadTargets> {
    const { index, reads, classicHealth } = this.#options;
    if (pool.kind === "classic") return classicHealth.read(pool, by);
    const group = index.pools.groups.get(pool.id);
    if (group !== undefined) group.isGuarded = true;
    const read = await reads.read(pool.id, by);
    index.learned(pool.id, read);
    // The answer to a later call may have come first.
    const known = this.#known(pool);
    if (known !== undefined && known.at >= read.at) return known;
    return { at: read.at, targets: read.targets.map((listed) => registrationOf(pool, listed)) };
  }

  #health({ at, targets }: ReadTargets, isZonal: boolean): PoolHealth {
    const countNodes = () => new Set(targets.map(({ target }) => idOf(target))).size;
    return { at, targets, countNodes, ...(isZonal ? { zoneOf: this.#zoneOf(targets) } : {}) };
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

/** Of those that are registered by their ids: an address is listed with its zone. */
function instancesOf(targets: Targets): readonly string[] {
  return [...new Set(targets.map(({ target }) => idOf(target)))].filter((id) => isIP(id) === 0);
}
