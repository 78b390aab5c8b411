import type { Clock } from "../../src/drain/clock.ts";
import {
  addressOf,
  type CallFor,
  type CloudProvider,
  type FastPathInput,
  type FoundRegistrations,
  keyOf,
  type Node,
  type Observed,
  type Pool,
  type PoolHealth,
  type PoolTerms,
  type Registration,
  type RegistrationState,
  type Remembered,
  type Vanished,
} from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";
import type { NodeReference } from "../../src/drain/request.ts";
import { fastPath } from "../../src/provider/fast-path.ts";
import {
  AWS_WORDS,
  type HoldAllowances,
  type ReleaseSettings,
  ReleaseTerms,
} from "../../src/provider/release-terms.ts";
import type { AwsPool } from "../../src/provider/target-groups.ts";

export const ALLOWANCES: HoldAllowances = {
  albPropagationMs: 30_000,
  nlbPropagationMs: 210_000,
  gwlbIdleMs: 350_000,
  gwlbFailoverMs: 90_000,
  classicMinimumMs: 10_000,
};
/** Pools release as AWS's load balancers do. */
export const RELEASES = new ReleaseTerms(ALLOWANCES);

export interface FakeCall {
  readonly method:
    | "resolve"
    | "findRegistrations"
    | "healthOf"
    | "describe"
    | "deregister"
    | "register"
    | "observe"
    | "findTerminated"
    | "findRunning";
  readonly pool?: string;
  readonly nodes?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A pool that carries its own settings. */
type FakePool = AwsPool & ReleaseSettings & { readonly isZonal?: boolean };

interface FakeRegistration {
  readonly registration: Registration;
  readonly nodeId: string;
  deregisteredAt: number | undefined;
  registeredAt?: number;
  /** Overrides what time would make of it. */
  forced: RegistrationState | undefined;
}

/** A cloud in memory: registrations drain for their pool's delay and are gone, unless a test says otherwise. */
export class FakeCloud implements CloudProvider {
  readonly words = AWS_WORDS;
  readonly calls: FakeCall[] = [];
  readonly terminated = new Set<string>();
  /** Machines that are stopped; they start again once they are taken out. */
  readonly stopped = new Set<string>();
  readonly recalled = new Map<string, Node>();
  /** Keys of registrations whose address another machine has taken over. */
  readonly movedAway = new Set<string>();
  readonly #strictlyRead = new Map<string, PoolHealth>();
  /** Keys of registrations that fail their health checks. */
  readonly unhealthy = new Set<string>();
  /** By node id, for pools that are `isZonal`. */
  readonly zones = new Map<string, string>();
  /** Whether every pool was read before anything is asked. */
  remembersAll = false;
  /** For how long every pool has been remembered then, in milliseconds. */
  rememberedForMs = 3_600_000;
  /** What other programs have deregistered, and reads lack. */
  vanishedTargets: readonly Vanished[] = [];
  /** Whether it tells how pools fare without being asked. */
  knowsHealth = false;
  /** Targets that can't be registered. */
  readonly refused = new Set<string>();
  /** Registering is accepted, and nothing comes of it. */
  ignoresRegistering = false;
  /** What the request quota lets through. */
  targetsPerCallMax = 100;
  msPerDeregistration = 0;
  /** How long a search takes after what it has found first. */
  searchMs = 0;
  /** The ids of pools that it finds only then. */
  readonly foundLate = new Set<string>();
  /** Runs before each call; what it throws the call throws, what it awaits the call waits for. */
  before: (call: FakeCall, signal: AbortSignal) => unknown = () => {};
  readonly #clock: Clock;
  readonly #nodes = new Map<string, Node>();
  readonly #registrations = new Map<string, FakeRegistration>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  addNode(id: string, address = "10.0.0.1"): Node {
    const node: Node = { id, name: `${id}.internal`, network: "vpc-1", addresses: [address], addressPrefixes: [] };
    this.#nodes.set(id, node);
    return node;
  }

  /** Registers the nodes in a new pool and returns it. */
  addPool(kind: LoadBalancerKind, name: string, nodes: readonly Node[], pool: Partial<FakePool> = {}): FakePool {
    const created: FakePool = {
      kind,
      id: `pool/${name}`,
      name,
      ...(kind === "unattached" ? {} : { loadBalancer: `${name}-lb` }),
      drainMs: 300_000,
      ...pool,
    };
    for (const node of nodes) this.addRegistration(created, node);
    return created;
  }

  /** By `id`: the node's own, or an address of one of its pods. */
  addRegistration(pool: FakePool, node: Node, port = 80, id = node.id): Registration {
    const registration: Registration = {
      pool,
      target: `${id}:${port}`,
      state: "live",
      detail: "healthy",
      isHealthy: true,
    };
    const known: FakeRegistration = { registration, nodeId: node.id, deregisteredAt: undefined, forced: undefined };
    this.#registrations.set(keyOf(registration), known);
    return registration;
  }

  /** From now on the cloud says so of every registration in the pool; `undefined` lets time decide again. */
  force(pool: Pool, state: RegistrationState | undefined): void {
    for (const known of this.#registrations.values()) if (known.registration.pool === pool) known.forced = state;
  }

  callsOf(method: FakeCall["method"], pool?: Pool): readonly FakeCall[] {
    return this.calls.filter((call) => call.method === method && (pool === undefined || call.pool === pool.id));
  }

  async resolve({ value }: NodeReference, { signal }: CallFor): Promise<Node> {
    await this.#record({ method: "resolve" }, signal);
    const node = [...this.#nodes.values()].find(({ id, name, addresses }) => [id, name, ...addresses].includes(value));
    if (node === undefined) throw new DrainError("node-not-found", `no live instance has ${value}`);
    if (this.terminated.has(node.id)) throw new DrainError("instance-gone", `${value} is terminated`);
    return this.stopped.has(node.id) ? { ...node, isOff: true } : node;
  }

  async *findRegistrations(node: Node, { signal }: CallFor): AsyncGenerator<FoundRegistrations> {
    await this.#record({ method: "findRegistrations" }, signal);
    const isKnown = (address: string | undefined) =>
      address === undefined || [...node.addresses, ...(node.podAddresses ?? [])].includes(address);
    const registrations = [...this.#registrations.values()]
      .filter(({ nodeId, registration }) => nodeId === node.id && isKnown(addressOf(registration)))
      .map((known) => ({
        ...known.registration,
        state: this.#state(known),
        isHealthy: this.#state(known) === "live" && !this.unhealthy.has(keyOf(known.registration)),
      }))
      .filter(({ state }) => state !== "absent");
    const isLate = ({ pool }: Registration) => this.foundLate.has(pool.id);
    yield { registrations: registrations.filter((one) => !isLate(one)), elsewhere: [] };
    if (this.searchMs > 0) await this.#clock.sleep(this.searchMs, signal);
    const late = registrations.filter(isLate);
    if (late.length > 0) yield { registrations: late, elsewhere: [] };
  }

  async remembered(): Promise<Remembered | undefined> {
    const asOf = this.#clock.now();
    const knownSince = asOf - this.rememberedForMs;
    return this.remembersAll ? { registrations: [], elsewhere: [], asOf, knownSince } : undefined;
  }

  lastKnown(): undefined {
    return undefined;
  }

  /** What was last read, where a test says so: reads of `healthOf` only. */
  knownHealth(pool: Pool): PoolHealth | undefined {
    return this.knowsHealth ? this.#health(pool) : undefined;
  }

  knownStrictHealth(pool: Pool): PoolHealth | undefined {
    return this.#strictlyRead.get(pool.id);
  }

  /** The pool is read by this call, so that `healthOf` has that read to go by. */
  async strictHealthOf(pool: Pool, _: number, { signal }: CallFor): Promise<PoolHealth> {
    await this.#record({ method: "healthOf", pool: pool.id }, signal);
    const health = this.#health(pool);
    this.#strictlyRead.set(pool.id, health);
    return health;
  }

  async healthOf(pool: Pool, notBefore: number, { signal }: CallFor): Promise<PoolHealth> {
    const read = this.#strictlyRead.get(pool.id);
    if (read !== undefined && read.at >= notBefore && read.at === this.#clock.now()) return read;
    await this.#record({ method: "healthOf", pool: pool.id }, signal);
    return this.#health(pool);
  }

  async describe(pool: Pool, { signal }: CallFor): Promise<PoolTerms | undefined> {
    await this.#record({ method: "describe", pool: pool.id }, signal);
    // A test may change the settings, and what they mean is kept with them.
    return RELEASES.of(pool.kind, { ...(pool as FakePool) });
  }

  termsAfterDelay({ kind }: Pool): PoolTerms {
    return RELEASES.afterDelay(kind);
  }

  vanished(): readonly Vanished[] {
    return this.vanishedTargets;
  }

  holdOfUnlistedMs(): number {
    const around = [...this.#registrations.values()].map(({ registration }) => registration.pool);
    return Math.max(0, ...around.map((pool) => this.termsAfterDelay(pool).holdMs));
  }

  fastPath(input: FastPathInput) {
    return fastPath(input);
  }

  /** Some, where a test has added any. */
  mayHoldAddresses(): boolean {
    return [...this.#registrations.values()].some(({ registration }) => addressOf(registration) !== undefined);
  }

  msToDeregister(pools: readonly Pool[]): readonly number[] {
    return pools.map((_, index) => (index + 1) * this.msPerDeregistration);
  }

  async deregister(pool: Pool, take: (max: number) => readonly Registration[], { signal }: CallFor): Promise<void> {
    const registrations = take(this.targetsPerCallMax);
    const nodes = registrations.map(({ target }) => target);
    await this.#record({ method: "deregister", pool: pool.id, nodes }, signal);
    for (const registration of registrations) {
      const known = this.#registrations.get(keyOf(registration));
      if (known !== undefined) known.deregisteredAt ??= this.#clock.now();
    }
  }

  async register(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    const registrations = take(this.targetsPerCallMax);
    const nodes = registrations.map(({ target }) => target);
    await this.#record({ method: "register", pool: pool.id, nodes }, by.signal);
    const why = (target: string) => new DrainError("not-registered", `the cloud refuses ${target}`);
    for (const registration of registrations) {
      const { target } = registration;
      const known = this.#registrations.get(keyOf(registration));
      if (this.refused.has(target)) by.refuses?.([target], why(target));
      else if (known?.deregisteredAt !== undefined && !this.ignoresRegistering) {
        known.deregisteredAt = undefined;
        known.registeredAt = this.#clock.now();
      }
    }
  }

  async obstacles(_: Node, registrations: readonly Registration[]): Promise<ReadonlyMap<Registration, string>> {
    const moved = registrations.filter((registration) => this.movedAway.has(keyOf(registration)));
    return new Map(moved.map((registration) => [registration, "its address is another machine's"]));
  }

  async observe(pool: Pool, which: () => readonly Registration[], { signal }: CallFor): Promise<Observed> {
    const at = this.#clock.now();
    const registrations = which();
    await this.#record({ method: "observe", pool: pool.id, nodes: registrations.map(({ target }) => target) }, signal);
    const states = new Map(
      registrations.map((one) => [one.target, this.#state(this.#registrations.get(keyOf(one)))] as const),
    );
    return { at, states };
  }

  /** Nodes are remembered where a test says so. */
  recall(id: string): Node | undefined {
    return this.recalled.get(id);
  }

  async stillOwned(_: Node, registrations: readonly Registration[]): Promise<readonly Registration[]> {
    return registrations.filter((registration) => !this.movedAway.has(keyOf(registration)));
  }

  async findTerminated(nodes: readonly Node[], { signal }: CallFor): Promise<ReadonlySet<string>> {
    await this.#record({ method: "findTerminated", nodes: nodes.map(({ id }) => id) }, signal);
    return new Set(nodes.filter(({ id }) => this.terminated.has(id)).map(({ id }) => id));
  }

  async findRunning(nodes: readonly Node[], { signal }: CallFor): Promise<ReadonlySet<string>> {
    await this.#record({ method: "findRunning", nodes: nodes.map(({ id }) => id) }, signal);
    return new Set(nodes.filter(({ id }) => !this.terminated.has(id) && !this.stopped.has(id)).map(({ id }) => id));
  }

  #health(pool: Pool): PoolHealth {
    const here = [...this.#registrations.values()].filter(({ registration }) => registration.pool.id === pool.id);
    const listed = here.filter((known) => this.#state(known) !== "absent");
    const isHealthy = (known: FakeRegistration) =>
      this.#state(known) === "live" && !this.unhealthy.has(keyOf(known.registration));
    const zones = new Map(here.map(({ registration, nodeId }) => [registration.target, this.zones.get(nodeId)]));
    return {
      at: this.#clock.now(),
      targets: listed.map((known) => ({
        target: known.registration.target,
        state: this.#state(known),
        isHealthy: isHealthy(known),
      })),
      countNodes: () => new Set(listed.map(({ nodeId }) => nodeId)).size,
      ...((pool as FakePool).isZonal === true ? { zoneOf: (target: string) => zones.get(target) } : {}),
    };
  }

  async #record(call: Omit<FakeCall, "at">, signal: AbortSignal): Promise<void> {
    const recorded = { ...call, at: this.#clock.now() };
    this.calls.push(recorded);
    await this.before(recorded, signal);
    signal.throwIfAborted();
  }

  #state(known: FakeRegistration | undefined): RegistrationState {
    if (known === undefined) return "absent";
    if (known.forced !== undefined) return known.forced;
    if (known.deregisteredAt === undefined) {
      const isNew = this.#clock.now() < (known.registeredAt ?? Number.NEGATIVE_INFINITY) + 30_000;
      return isNew ? "initial" : "live";
    }
    return this.#clock.now() < known.deregisteredAt + (known.registration.pool as FakePool).drainMs
      ? "draining"
      : "absent";
  }
}
