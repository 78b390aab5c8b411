import type { Clock } from "../../src/drain/clock.ts";
import type {
  CallFor,
  CloudProvider,
  FoundRegistrations,
  Node,
  Observed,
  Pool,
  PoolHealth,
  PoolTerms,
  Registration,
  RegistrationState,
} from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { NodeReference } from "../../src/drain/request.ts";
import { AWS_WORDS } from "../../src/provider/release-terms.ts";
import { RELEASES } from "../support/fake-cloud.ts";
import type { CallLog, Method } from "./call-log.ts";
import { CloudWrites } from "./cloud-writes.ts";
import type { Drains } from "./drains.ts";
import type { Faults } from "./faults.ts";
import { registrationOf } from "./registrations.ts";
import { HealthReads, type ShownHealths } from "./shown-health.ts";
import type { Answer, Told } from "./told.ts";
import type { Wire } from "./wire.ts";
import type { Shown, World, WorldNode, WorldPool, WorldSpec, WorldTarget } from "./world.ts";

/** A node that was found is remembered for so long. */
const RECALLED_FOR_MS = 150_000;

export interface ModelCloudOptions {
  readonly world: World;
  readonly spec: WorldSpec;
  readonly told: Told;
  readonly healths: ShownHealths;
  readonly drains: Drains;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly clock: Clock;
  readonly wire: Wire;
  /** Of the process that calls. */
  readonly life: number;
}

/** The world as one process gets to see it: late, at times old, and refusing. What it does show was so. */
export class ModelCloud implements CloudProvider {
  readonly words = AWS_WORDS;
  readonly #options: ModelCloudOptions;
  readonly #writes: CloudWrites;
  readonly #healthReads: HealthReads;
  readonly #remembered = new Map<string, { readonly node: Node; readonly at: number }>();

  /** What a process remembers it has read itself. */
  readonly #startedAt: number;

  constructor(options: ModelCloudOptions) {
    this.#options = options;
    this.#writes = new CloudWrites(options);
    this.#healthReads = new HealthReads(options);
    this.#startedAt = options.clock.now();
  }

  async resolve({ value }: NodeReference, by: CallFor): Promise<Node> {
    const { world } = this.#options;
    return this.#call("resolve", by, undefined, (at) => {
      const named = world.nodes.find((node) => nameOf(node) === value);
      const node = world.nodeOf(value) ?? named ?? world.holderOf(value, at);
      if (node === undefined) throw new DrainError("node-not-found", `no live instance has ${value}`);
      if (isTerminated(node, at)) throw new DrainError("instance-gone", `${value} is terminated`);
      const found = this.#nodeAt(node, at);
      this.#remembered.set(node.id, { node: found, at });
      return found;
    });
  }

  recall(id: string): Node | undefined {
    const { clock, spec } = this.#options;
    const known = this.#remembered.get(id);
    if (!spec.recalls || known === undefined || clock.now() - known.at > RECALLED_FOR_MS) return undefined;
    return { ...known.node, asOf: known.at };
  }

  /** For a look at a node, which the model does not play. */
  lastKnown(): undefined {
    return undefined;
  }

  async *findRegistrations(node: Node, by: CallFor): AsyncGenerator<FoundRegistrations> {
    const { world, spec, clock } = this.#options;
    const told = new Set<WorldTarget>();
    const found = (pool: WorldPool, { at, shown }: Snapshot): FoundRegistrations => {
      const mine = this.#targetsOf(pool, node, at).filter((target) => !told.has(target));
      const registrations = mine.flatMap((target) => {
        const { state } = shown.get(target) ?? { state: "absent" };
        if (state === "absent") return [];
        told.add(target);
        this.#tell(target, { by: "search", node: node.id, askedAt: at }, { at, shown });
        return [registrationOf(target, node.id, { state, isHealthy: world.isHealthy(target, at) })];
      });
      return pool.isElsewhere ? { registrations: [], elsewhere: registrations } : { registrations, elsewhere: [] };
    };
    if (spec.indexAgeMs > 0)
      for (const pool of world.pools) {
        const at = Math.max(this.#startedAt, clock.now() - spec.indexAgeMs);
        this.#learn(pool, at, at);
        yield found(pool, this.#snapshot(pool, at));
      }
    for (const pool of world.pools) {
      if (pool.vanishedAt !== undefined) continue;
      const askedAt = clock.now();
      const snapshot = await this.#call("find", by, pool, (at) => this.#snapshot(pool, at));
      this.#searched(pool, node, askedAt);
      this.#learn(pool, askedAt, snapshot.at);
      const answer = found(pool, snapshot);
      if (answer.registrations.length + answer.elsewhere.length > 0) yield answer;
    }
  }

  async remembered(): Promise<undefined> {
    return undefined;
  }

  knownHealth({ id }: Pool): PoolHealth | undefined {
    return this.#healthReads.known(this.#options.world.poolOf(id));
  }

  async healthOf({ id }: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    const pool = this.#options.world.poolOf(id);
    const known = this.#healthReads.known(pool);
    if (known !== undefined && known.at >= notBefore) return known;
    const askedAt = this.#options.clock.now();
    const shownAt = await this.#call("health", by, pool, (at) => at);
    return this.#healthReads.learn(pool, askedAt, shownAt);
  }

  /** How pools work is known here without asking. */
  knownStrictHealth(pool: Pool): PoolHealth | undefined {
    return this.knownHealth(pool);
  }

  strictHealthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    return this.healthOf(pool, notBefore, by);
  }

  describe({ id }: Pool, by: CallFor): Promise<PoolTerms | undefined> {
    const pool = this.#options.world.poolOf(id);
    return this.#call("describe", by, pool, (at) =>
      (pool.vanishedAt ?? Number.POSITIVE_INFINITY) <= at
        ? undefined
        : RELEASES.of(pool.kind, { drainMs: pool.delayMs }),
    );
  }

  termsAfterDelay({ kind }: Pool): PoolTerms {
    return RELEASES.afterDelay(kind);
  }

  /** The taint is not played. */
  fastPath(): undefined {
    return undefined;
  }

  mayHoldAddresses(): boolean {
    return true;
  }

  vanished(): readonly [] {
    return [];
  }

  holdOfUnlistedMs(): number {
    return Math.max(0, ...this.#options.world.pools.map(({ kind }) => RELEASES.afterDelay(kind).holdMs));
  }

  msToDeregister(pools: readonly Pool[]): readonly number[] {
    return pools.map(() => 0);
  }

  deregister(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    return this.#writes.deregister(pool, take, by);
  }

  register(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    return this.#writes.register(pool, take, by);
  }

  obstacles(
    node: Node,
    registrations: readonly Registration[],
    by: CallFor,
  ): Promise<ReadonlyMap<Registration, string>> {
    const { world } = this.#options;
    const pool = world.poolOf(registrations[0]?.pool.id ?? "");
    return this.#call("obstacles", by, pool, (at) => {
      const isGone = (pool.vanishedAt ?? Number.POSITIVE_INFINITY) <= at;
      const isLost = ({ target }: Registration) =>
        world.ownerOf(pool.targets.get(target) as WorldTarget, at)?.id !== node.id;
      const why = (one: Registration) =>
        isGone ? "its pool has vanished" : `${one.target} is another machine's by now`;
      return new Map(registrations.filter((one) => isGone || isLost(one)).map((one) => [one, why(one)]));
    });
  }

  async observe({ id }: Pool, which: () => readonly Registration[], by: CallFor): Promise<Observed> {
    const { world, clock, wire, calls } = this.#options;
    const pool = world.poolOf(id);
    await wire.permit(by.signal);
    const at = clock.now();
    const names = which().map(({ target }) => target);
    const targets = names.flatMap((name) => pool.targets.get(name) ?? []);
    calls.made({ method: "observe", pool, targets, at });
    const snapshot = await wire.send({ method: "observe", pool, by }, (now) =>
      this.#snapshot(pool, this.#asShown(now, at)),
    );
    const states = targets.map(
      (target) => [target.name, this.#tell(target, { by: "look", askedAt: at }, snapshot)] as const,
    );
    return { at, states: new Map(states) };
  }

  async stillOwned(node: Node, registrations: readonly Registration[], by: CallFor): Promise<readonly Registration[]> {
    const { world, told, life } = this.#options;
    const targetOf = ({ pool, target }: Registration) => world.poolOf(pool.id).targets.get(target) as WorldTarget;
    const { owned, at } = await this.#call("owned", by, undefined, (at) => ({
      at,
      owned: registrations.filter((one) => world.ownerOf(targetOf(one), at)?.id === node.id),
    }));
    for (const other of registrations.filter((one) => !owned.includes(one)).map(targetOf)) {
      // As good as absent: nothing of it is the node's.
      const look = told.lastLook(other, life);
      if (look !== undefined) told.tell(other, { ...look, shownAt: at, state: "absent" });
    }
    return owned;
  }

  findTerminated(nodes: readonly Node[], by: CallFor): Promise<ReadonlySet<string>> {
    const { world } = this.#options;
    return this.#call("terminated", by, undefined, (at) => {
      const gone = nodes.filter(({ id }) => isTerminated(world.nodeOf(id), at));
      return new Set(gone.map(({ id }) => id));
    });
  }

  /** No machine of the model stops and starts. */
  async findRunning(): Promise<ReadonlySet<string>> {
    return new Set();
  }

  /** `answer` is made when the call reaches the cloud; it gets the moment that it is to show. */
  async #call<T>(method: Method, by: CallFor, pool: WorldPool | undefined, answer: (at: number) => T): Promise<T> {
    const { wire, clock, calls } = this.#options;
    await wire.permit(by.signal);
    const askedAt = clock.now();
    calls.made({ method, pool, targets: [], at: askedAt });
    const given = await wire.send({ method, pool, by }, (now) => attempt(() => answer(this.#asShown(now, askedAt))));
    return given();
  }

  /** Answers are as old as the fault says. */
  #asShown(now: number, askedAt: number): number {
    return Math.min(now, askedAt) - this.#options.faults.staleMs(askedAt);
  }

  #snapshot(pool: WorldPool, at: number): Snapshot {
    const targets = [...pool.targets.values()];
    return { at, shown: new Map(targets.map((target) => [target, this.#options.world.shown(target, at)])) };
  }

  #tell(target: WorldTarget, how: Pick<Answer, "by" | "node" | "askedAt">, { at, shown }: Snapshot): RegistrationState {
    const { told, life } = this.#options;
    const one = shown.get(target) ?? { state: "absent" };
    told.tell(target, { ...one, ...how, life, shownAt: at });
    return one.state;
  }

  /** What lists a classic load balancer's instances does not say how they fare. */
  #learn(pool: WorldPool, askedAt: number, shownAt: number): void {
    if (pool.kind !== "classic") this.#healthReads.learn(pool, askedAt, shownAt);
  }

  #searched(pool: WorldPool, { id }: Node, askedAt: number): void {
    const { told, world, life } = this.#options;
    const node = world.nodeOf(id);
    if (node !== undefined) told.searched(pool, node, { life, askedAt });
  }

  /** Those of the node's addresses, as it was resolved, that it still has. */
  #targetsOf(pool: WorldPool, { id }: Node, at: number): readonly WorldTarget[] {
    const { world, clock } = this.#options;
    const node = world.nodeOf(id);
    if (node === undefined) return [];
    return world.targetsOf(pool, node, at).filter((target) => world.ownerOf(target, clock.now()) === node);
  }

  #nodeAt(node: WorldNode, at: number): Node {
    const addresses = this.#options.world.addressesOf(node, at);
    return { id: node.id, name: nameOf(node), network: "vpc-1", addresses, addressPrefixes: [] };
  }
}

/** One pool at one moment. */
interface Snapshot {
  readonly at: number;
  readonly shown: ReadonlyMap<WorldTarget, Shown>;
}

/** What it gives or throws, for later. */
function attempt<T>(work: () => T): () => T {
  try {
    const given = work();
    return () => given;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function nameOf({ id }: WorldNode): string {
  return `${id}.internal`;
}

function isTerminated(node: WorldNode | undefined, at: number): boolean {
  return (node?.terminatedAt ?? Number.POSITIVE_INFINITY) <= at;
}
