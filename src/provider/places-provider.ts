import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type {
  CallFor,
  CloudProvider,
  CloudWords,
  FastPathInput,
  FoundRegistrations,
  LastKnown,
  Node,
  Observed,
  PlannedFastPath,
  Pool,
  PoolHealth,
  PoolTerms,
  Registration,
  Remembered,
  Vanished,
} from "../drain/cloud-provider.ts";
import type { CloudState } from "../drain/cloud-state.ts";
import { type AccessProblem, DrainError } from "../drain/errors.ts";
import type { NodeReference } from "../drain/request.ts";
import type { AuditPools, PoolAudit } from "./audit.ts";
import type { AwsProvider, Machines } from "./aws-provider.ts";
import { firstDefinite, inAll, nodeAmong, type PlaceAnswer } from "./joined-answers.ts";
import { asOf, asOfPlace, asWithin, inPlace, outOf, type PlaceIdentity, PlacesOfPools } from "./places-of-pools.ts";
import { SearchesOfPlaces } from "./searches-of-places.ts";

/** One account and region. Its name is unique, and the same after a restart. */
export interface Place extends PlaceIdentity {
  readonly provider: AwsProvider;
}

/**
 * Several accounts and regions as one cloud. A node is an instance of one of them, and may be registered in all: a
 * group of another account may be in a shared VPC, or have addresses of a peered one. So each search reads every place,
 * and is complete only when each has answered. Every call about a pool goes to the pool's place.
 */
export class PlacesProvider implements CloudProvider, Machines {
  readonly #places: readonly Place[];
  readonly #pools: PlacesOfPools<Place>;
  readonly #searches: SearchesOfPlaces;

  /**
   * `makeAll`: the providers read machines through this one. `ownRegion`: the region of everything from before places
   * were configured.
   */
  constructor(makeAll: (machines: Machines) => readonly Place[], ownRegion: string | undefined) {
    this.#places = makeAll(this);
    this.#pools = new PlacesOfPools(this.#places, ownRegion);
    this.#searches = new SearchesOfPlaces(this.#places);
  }

  covers(place: string | undefined): boolean {
    return this.#pools.covers(place);
  }

  /**
   * An id names one instance in all of AWS, so the first place that knows it answers. An address or a name may match
   * instances in several places, so all must have answered.
   */
  async resolve(reference: NodeReference, by: CallFor): Promise<Node> {
    const over = newAbort();
    return withAnyOf([by.signal, over.signal], async (signal) => {
      const asked = this.#places.map((place) => lookUp(place, reference, { ...by, signal }));
      try {
        const first = reference.by === "id" ? await firstDefinite(asked) : undefined;
        return nodeAmong(reference, first === undefined ? await Promise.all(asked) : [first]);
      } finally {
        over.abort(WOKEN);
      }
    });
  }

  recall(id: string): Node | undefined {
    for (const { name: place, provider } of this.#places) {
      const node = provider.recall(id);
      if (node !== undefined) return { ...node, place };
    }
    return undefined;
  }

  findRegistrations(node: Node, by: CallFor): AsyncIterable<FoundRegistrations> {
    return this.#searches.of(node, by);
  }

  async remembered(node: Node, by: CallFor): Promise<Remembered | undefined> {
    const all = await this.#each(({ provider }) => provider.remembered(node, by));
    const known = inAll(all.map((each) => each && asOfPlace(each)));
    const since = all.map((each) => each?.knownSince ?? Number.POSITIVE_INFINITY);
    return known && { ...known, knownSince: Math.max(...since) };
  }

  lastKnown(reference: NodeReference): LastKnown | undefined {
    const fitting = this.#places.flatMap(({ name: place, provider }) => {
      const node = provider.lastKnownNode(reference);
      return node === undefined ? [] : [{ ...node, place }];
    });
    const [node, ...others] = fitting;
    if (node === undefined || others.length > 0) return undefined;
    const all = this.#places.map(({ provider }) => provider.lastKnownOf(node));
    const known = inAll(all.map((each) => each && asOfPlace(each)));
    return known && { node, ...known };
  }

  knownHealth(pool: Pool): PoolHealth | undefined {
    const place = this.#pools.find(pool);
    return place?.provider.knownHealth(asWithin(pool, place));
  }

  healthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    return this.#at(pool, (provider, within) => provider.healthOf(within, notBefore, by));
  }

  strictHealthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    return this.#at(pool, (provider, within) => provider.strictHealthOf(within, notBefore, by));
  }

  knownStrictHealth(pool: Pool): PoolHealth | undefined {
    const place = this.#pools.find(pool);
    return place?.provider.knownStrictHealth(asWithin(pool, place));
  }

  vanished(node: Node): readonly Vanished[] {
    const all = this.#places.flatMap(({ provider }) => provider.vanished(node));
    return all.map(({ registration, at }) => ({ registration: outOf(registration), at }));
  }

  holdOfUnlistedMs(node: Node): number {
    return Math.max(...this.#places.map(({ provider }) => provider.holdOfUnlistedMs(node)));
  }

  mayHoldAddresses(node: Node): boolean {
    return this.#places.some(({ provider }) => provider.mayHoldAddresses(node));
  }

  get hasAddressGroups(): boolean {
    return this.#places.some(({ provider }) => provider.hasAddressGroups);
  }

  describe(pool: Pool, by: CallFor): Promise<PoolTerms | undefined> {
    return this.#at(pool, (provider, within) => provider.describe(within, by));
  }

  termsAfterDelay(pool: Pool): PoolTerms {
    return this.#any.termsAfterDelay(pool);
  }

  fastPath(input: FastPathInput): PlannedFastPath | string | undefined {
    return this.#any.fastPath(input);
  }

  get words(): CloudWords {
    return this.#any.words;
  }

  /** What needs no call is the same in all places. */
  get #any(): AwsProvider {
    return (this.#places[0] as Place).provider;
  }

  deregister(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    return this.#at(pool, (provider, within) => provider.deregister(within, take, by));
  }

  register(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    return this.#at(pool, (provider, within) => provider.register(within, take, by));
  }

  observe(pool: Pool, which: () => readonly Registration[], by: CallFor): Promise<Observed> {
    return this.#at(pool, (provider, within) => provider.observe(within, which, by));
  }

  async obstacles(
    node: Node,
    registrations: readonly Registration[],
    by: CallFor,
  ): Promise<ReadonlyMap<Registration, string>> {
    const all = await this.#eachOf(registrations, async ({ provider }, given, within) => {
      const found = await provider.obstacles(node, within, by);
      return within.flatMap((one, index): readonly [Registration, string][] => {
        const [why, was] = [found.get(one), given[index]];
        return why === undefined || was === undefined ? [] : [[was, why]];
      });
    });
    return new Map(all.flat());
  }

  async stillOwned(node: Node, registrations: readonly Registration[], by: CallFor): Promise<readonly Registration[]> {
    const all = await this.#eachOf(registrations, async ({ provider }, given, within) => {
      const owned = new Set(await provider.stillOwned(node, within, by));
      return given.filter((_, index) => owned.has(within[index] as Registration));
    });
    const owned = new Set(all.flat());
    return registrations.filter((one) => owned.has(one));
  }

  /** Separately in each place, because each has its own quota. */
  msToDeregister(pools: readonly Pool[]): readonly number[] {
    const ms = new Map<Pool, number>();
    for (const [{ provider }, those] of this.#pools.groups(pools, (pool) => pool)) {
      const each = provider.msToDeregister(those);
      for (const [index, pool] of those.entries()) ms.set(pool, each[index] ?? 0);
    }
    return pools.map((pool) => ms.get(pool) ?? 0);
  }

  findTerminated(nodes: readonly Pick<Node, "id" | "place">[], by: CallFor): Promise<ReadonlySet<string>> {
    return this.#idsOf(nodes, (provider, those) => provider.findTerminated(those, by));
  }

  findRunning(nodes: readonly Pick<Node, "id" | "place">[], by: CallFor): Promise<ReadonlySet<string>> {
    return this.#idsOf(nodes, (provider, those) => provider.findRunning(those, by));
  }

  /** From the EC2 of the node's place. Another account's does not describe it. */
  async asItIsNow(node: Node, by: CallFor): Promise<Node> {
    const all = await this.#each(({ provider }) => provider.asItIsNow(node, by), node.place);
    return all.find(({ interfaces = [] }) => interfaces.length > 0) ?? (all[0] as Node);
  }

  async othersWith(address: string, node: Node, by: CallFor): Promise<readonly string[]> {
    return (await this.#each(({ provider }) => provider.othersWith(address, node, by))).flat();
  }

  async maintainIndex(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#places.map(({ provider }) => provider.maintainIndex(signal)));
  }

  get states(): readonly CloudState[] {
    return this.#places.flatMap(({ provider }) => provider.states);
  }

  async checkAccess(signal: AbortSignal): Promise<readonly AccessProblem[]> {
    const all = this.#places.map(async ({ name, provider }) => {
      const problems = await provider.checkAccess(signal);
      return problems.map((problem) => ({ ...problem, error: asOf(name, problem.error) }));
    });
    return (await Promise.all(all)).flat();
  }

  /** All places in one, each with the calls of its own quota. */
  async audit(auditPools: AuditPools, _: string | undefined, by: CallFor): Promise<PoolAudit> {
    const all = await this.#each(({ provider, region }) => provider.audit(auditPools, region, by));
    return {
      pools: all.flatMap(({ pools }) => pools),
      machines: new Map(all.flatMap(({ machines }) => [...machines])),
      unread: all.flatMap(({ unread }, index) =>
        unread.map(({ what, why }) => ({ what: `${this.#places[index]?.name}: ${what}`, why })),
      ),
    };
  }

  async #at<T>(pool: Pool, call: (provider: AwsProvider, within: Pool) => Promise<T>): Promise<T> {
    const place = this.#pools.of(pool);
    try {
      return await call(place.provider, asWithin(pool, place));
    } catch (error) {
      throw inPlace(place, error);
    }
  }

  /** All places, or the named one. Throws the failure of the first one. */
  #each<T>(ask: (place: Place) => Promise<T>, name?: string): Promise<readonly T[]> {
    const asked = name === undefined ? this.#places : [this.#pools.named(name)];
    return Promise.all(asked.map((place) => inItsPlace(place, () => ask(place))));
  }

  /** Each place that has some of them. `within`: in the form of the place's provider, in the same order. */
  #eachOf<T>(
    registrations: readonly Registration[],
    ask: (place: Place, given: readonly Registration[], within: readonly Registration[]) => Promise<T>,
  ): Promise<readonly T[]> {
    // Throws if one belongs to none.
    for (const { pool } of registrations) this.#pools.of(pool);
    const groups = [...this.#pools.groups(registrations, ({ pool }) => pool)];
    const calls = groups.map(([place, given]) => {
      const within = given.map((one) => ({ ...one, pool: asWithin(one.pool, place) }));
      return inItsPlace(place, () => ask(place, given, within));
    });
    return Promise.all(calls);
  }

  /** If the place of a node is unknown, all places are asked. */
  async #idsOf(
    nodes: readonly Pick<Node, "id" | "place">[],
    ask: (provider: AwsProvider, nodes: readonly Pick<Node, "id">[]) => Promise<ReadonlySet<string>>,
  ): Promise<ReadonlySet<string>> {
    const here = ({ name }: Place) => nodes.filter(({ place = name }) => place === name);
    const all = await this.#each((place) => ask(place.provider, here(place)));
    return new Set(all.flatMap((ids) => [...ids]));
  }
}

async function lookUp({ name: place, provider }: Place, reference: NodeReference, by: CallFor): Promise<PlaceAnswer> {
  try {
    return { place, node: { ...(await provider.resolve(reference, by)), place } };
  } catch (error) {
    if (!(error instanceof DrainError)) throw error;
    return { place, error: asOf(place, error) };
  }
}

async function inItsPlace<T>(place: Place, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw inPlace(place, error);
  }
}
