import type { Clock } from "../../src/drain/clock.ts";
import type {
  CallFor,
  CloudProvider,
  FoundRegistrations,
  Node,
  Observed,
  Pool,
  PoolTerms,
  Registration,
  RegistrationState,
} from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { NodeReference } from "../../src/drain/request.ts";
import type { CallLog, Method } from "./call-log.ts";
import type { Faults } from "./faults.ts";
import type { Told } from "./told.ts";
import type { Wire } from "./wire.ts";
import type { Shown, World, WorldNode, WorldPool, WorldSpec, WorldTarget } from "./world.ts";

/** A node that was found is remembered for so long. */
const RECALLED_FOR_MS = 150_000;

export interface ModelCloudOptions {
  readonly world: World;
  readonly spec: WorldSpec;
  readonly told: Told;
  readonly faults: Faults;
  readonly calls: CallLog;
  readonly clock: Clock;
  readonly wire: Wire;
  /** Of the process that calls. */
  readonly life: number;
}

/** The world as one process gets to see it: late, at times old, and refusing. What it does show was so. */
export class ModelCloud implements CloudProvider {
  readonly #options: ModelCloudOptions;
  readonly #remembered = new Map<string, { readonly node: Node; readonly at: number }>();

  /** What a process remembers it has read itself. */
  readonly #startedAt: number;

  constructor(options: ModelCloudOptions) {
    this.#options = options;
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

  async *findRegistrations(node: Node, by: CallFor): AsyncGenerator<FoundRegistrations> {
    const { world, spec, clock } = this.#options;
    const told = new Set<WorldTarget>();
    const found = (pool: WorldPool, { at, shown }: Snapshot): FoundRegistrations => {
      const mine = this.#targetsOf(pool, node, at).filter((target) => !told.has(target));
      const registrations = mine.flatMap((target) => {
        const { state } = shown.get(target) ?? { state: "absent" };
        if (state === "absent") return [];
        told.add(target);
        this.#tell(target, "search", { at, shown }, at);
        return [registrationOf(target, state)];
      });
      return pool.isElsewhere ? { registrations: [], elsewhere: registrations } : { registrations, elsewhere: [] };
    };
    if (spec.indexAgeMs > 0)
      for (const pool of world.pools)
        yield found(pool, this.#snapshot(pool, Math.max(this.#startedAt, clock.now() - spec.indexAgeMs)));
    for (const pool of world.pools) {
      if (pool.vanishedAt !== undefined) continue;
      const askedAt = clock.now();
      const snapshot = await this.#call("find", by, pool, (at) => this.#snapshot(pool, at));
      this.#searched(pool, node, askedAt);
      const answer = found(pool, snapshot);
      if (answer.registrations.length + answer.elsewhere.length > 0) yield answer;
    }
  }

  async remembered(): Promise<undefined> {
    return undefined;
  }

  /** Drains have no guard here. */
  knownHealth(): undefined {
    return undefined;
  }

  healthOf(): Promise<never> {
    return Promise.reject(new Error("nobody asks how a pool fares"));
  }

  describe({ id }: Pool, by: CallFor): Promise<PoolTerms | undefined> {
    const pool = this.#options.world.poolOf(id);
    return this.#call("describe", by, pool, (at) =>
      (pool.vanishedAt ?? Number.POSITIVE_INFINITY) <= at
        ? undefined
        : { drainMs: pool.delayMs, terminatesConnections: false },
    );
  }

  kindsAround(): ReadonlySet<Pool["kind"]> {
    return new Set(this.#options.world.pools.map(({ kind }) => kind));
  }

  msToDeregister(pools: readonly Pool[]): readonly number[] {
    return pools.map(() => 0);
  }

  async deregister({ id }: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    const { world, spec, told, faults, clock, wire, calls } = this.#options;
    const pool = world.poolOf(id);
    await wire.permit(by.signal);
    const taken = take(spec.targetsPerCallMax);
    if (taken.length === 0) return;
    const targets = taken.flatMap(({ target }) => pool.targets.get(target) ?? []);
    calls.made({ method: "deregister", pool, targets, at: clock.now() });
    const ignored = new Set(faults.isIgnored(pool, clock.now()) ? targets : []);
    const refused = targets.filter((target) => faults.isRefused(world.ownerOf(target, clock.now()), clock.now()));
    const at = await wire.send({ method: "deregister", pool, by }, (now) => {
      const meant = targets.filter((target) => !ignored.has(target) && !refused.includes(target));
      for (const target of meant) calls.deregistered(target, now);
      for (const target of meant) world.deregister(target, now);
      return now;
    });
    for (const target of targets) told.accepted(target, { at, answeredAt: clock.now() });
    if (refused.length > 0) by.refuses?.(refused.map(({ name }) => name));
  }

  async register({ id }: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    const { world, spec, faults, clock, wire, calls } = this.#options;
    const pool = world.poolOf(id);
    await wire.permit(by.signal);
    const targets = take(spec.targetsPerCallMax).flatMap(({ target }) => pool.targets.get(target) ?? []);
    calls.made({ method: "register", pool, targets, at: clock.now() });
    const ignored = new Set(faults.isIgnored(pool, clock.now()) ? targets : []);
    await wire.send({ method: "register", pool, by }, (now) => {
      if (pool.vanishedAt !== undefined) throw new DrainError("not-registered", `${id} has vanished`);
      for (const target of targets) if (!ignored.has(target)) world.registerAgain(target, now);
    });
  }

  async obstacles(
    node: Node,
    registrations: readonly Registration[],
    by: CallFor,
  ): Promise<ReadonlyMap<Registration, string>> {
    const owned = await this.stillOwned(node, registrations, by);
    const lost = registrations.filter((one) => !owned.includes(one));
    return new Map(lost.map((one) => [one, `${one.target} is another machine's by now`]));
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
    const states = targets.map((target) => [target.name, this.#tell(target, "look", snapshot, at)] as const);
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

  #tell(target: WorldTarget, by: "search" | "look", { at, shown }: Snapshot, askedAt: number): RegistrationState {
    const { told, life } = this.#options;
    const one = shown.get(target) ?? { state: "absent" };
    told.tell(target, { ...one, by, life, askedAt, shownAt: at });
    return one.state;
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

function registrationOf({ pool, name }: WorldTarget, state: RegistrationState): Registration {
  const { id, kind } = pool;
  const used = kind === "unattached" ? {} : { loadBalancer: `${id}-lb` };
  return { pool: { kind, id, name: id, ...used }, target: name, state, detail: state, isHealthy: state === "live" };
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
