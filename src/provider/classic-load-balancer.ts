import {
  DeregisterInstancesFromLoadBalancerCommand,
  type InstanceState,
  RegisterInstancesWithLoadBalancerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import type { AwsAction } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { CallFor, Node, Observed, Registration, RegistrationState } from "../drain/cloud-provider.ts";
import type { Take } from "./batches.ts";
import { classicRegistrationOf, describeInstanceHealth, instancesOf, stateOf } from "./classic-load-balancers.ts";
import { deregisterBatch, type KnownPool, type PoolContext, type ReadTargets, registerBatch } from "./known-pool.ts";
import { unlessListed } from "./listed-pools.ts";
import { describeClassic, KnownSettings } from "./pool-settings.ts";
import type { AwsPool } from "./target-groups.ts";

const DEREGISTER: AwsAction = {
  name: "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
  bucket: "classic-register",
};
const REGISTER: AwsAction = {
  name: "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
  bucket: "classic-register",
};

/** No classic load balancer drains for longer (the largest draining timeout). */
export const CLASSIC_DRAINS_MAX_MS = 3_600_000;
/** Where the index does not read the health of the instances, only callers that ask do: nothing keeps it up to date. */
const HEALTH_KEPT_MS = 10_000;
/** No read is answered that long after it was sent. */
const ENDED_REMEMBERED_MS = 600_000;

const DEREGISTERED = { state: "draining", isHealthy: false } as const;
const NO_INSTANCES: ReadonlySet<string> = new Set();
const NO_ARNS: readonly string[] = [];

interface NamedRead {
  /** When AWS was asked, in milliseconds since the epoch. */
  readonly at: number;
  readonly states: ReadonlyMap<string, InstanceState>;
}

/** What the listing says of a classic load balancer. */
export interface ListedClassic {
  readonly pool: AwsPool;
  /** The same of two listings: it is the same load balancer, and not another one of its name. */
  readonly identity: string;
  readonly network: string;
  readonly instances: readonly string[];
}

/** A classic load balancer. Its listing names its instances; about each it is asked by name. */
export class ClassicLoadBalancer implements KnownPool {
  pool: AwsPool;
  network: string | undefined;
  /** Absent: it was not listed yet. */
  identity: string | undefined;
  watchedSince = Number.POSITIVE_INFINITY;
  /** By its newest listing. */
  instances: ReadonlySet<string> = NO_INSTANCES;
  /** When each instance was last listed, in milliseconds since the epoch. */
  readonly listedAt = new Map<string, number>();
  readonly settings: KnownSettings;
  readonly deregisters = DEREGISTER;
  readonly loadBalancerArns = NO_ARNS;
  readonly #context: PoolContext;
  readonly #named: SharedCall<() => readonly string[], NamedRead>;
  readonly #all: SharedCall<undefined, ReadTargets>;
  /** The last answer about all. */
  #health: ReadTargets | undefined;
  /** What this process has deregistered, and when. A read that was sent before that still shows it as healthy. */
  readonly #endedAt = new Map<string, number>();

  constructor(pool: AwsPool, context: PoolContext) {
    this.pool = pool;
    this.#context = context;
    const { aws, clock, tags, writableCluster } = context;
    this.settings = new KnownSettings({
      id: pool.id,
      clock,
      describe: (by) => describeClassic(aws, pool, by),
      tags: tags.names,
      writableCluster,
    });
    this.#named = new SharedCall((about, by) => this.#readNamed(about, by));
    this.#all = new SharedCall((sent, by) => this.#readAll(sent, by), clock);
  }

  listed({ pool, identity, network, instances }: ListedClassic, at: number): void {
    if (this.identity === undefined) Object.assign(this, { pool, identity, watchedSince: at });
    this.network = network;
    for (const [id, last] of this.listedAt) if (at - last > CLASSIC_DRAINS_MAX_MS) this.listedAt.delete(id);
    this.instances = new Set(instances);
    for (const id of instances) this.listedAt.set(id, at);
  }

  /** The node's registration where the newest listing names it. */
  listedOf({ id }: Node): readonly Registration[] {
    return this.instances.has(id) ? [classicRegistrationOf(this.pool, id, "live")] : [];
  }

  /** The node's registration, if there is one. */
  async find({ id }: Node, by: CallFor): Promise<readonly Registration[]> {
    const { states } = await this.#named.ask(() => [id], by);
    const state = (await this.#stateOfEach([id], states, by)).get(id) ?? "absent";
    return state === "absent" || state === "unlisted" ? [] : [classicRegistrationOf(this.pool, id, state)];
  }

  deregister(take: Take, by: CallFor): Promise<void> {
    const { aws } = this.#context;
    const send = (batch: readonly Registration[]) =>
      aws.classic.send(new DeregisterInstancesFromLoadBalancerCommand(this.#input(batch)), { abortSignal: by.signal });
    return deregisterBatch(aws, { action: DEREGISTER, by, send }, take);
  }

  deregistered(targets: ReadonlySet<string>): void {
    this.instances = new Set([...this.instances].filter((one) => !targets.has(one)));
    const now = this.#context.clock.now();
    for (const [target, at] of this.#endedAt) if (at < now - ENDED_REMEMBERED_MS) this.#endedAt.delete(target);
    for (const target of targets) this.#endedAt.set(target, now);
    if (this.#health !== undefined) this.#health = this.#withoutEnded(this.#health);
  }

  register(take: Take, by: CallFor): Promise<void> {
    const { aws } = this.#context;
    const send = (batch: readonly Registration[]) =>
      unlessListed<unknown>(aws, this.pool.id, by, () =>
        aws.classic.send(new RegisterInstancesWithLoadBalancerCommand(this.#input(batch)), { abortSignal: by.signal }),
      );
    return registerBatch(aws, { action: REGISTER, by, send }, { pool: this.pool, take });
  }

  registered(again: readonly Registration[]): void {
    this.instances = new Set([...this.instances, ...again.map(({ target }) => target)]);
  }

  /** Instances are named, because AWS does not say whether its list shows draining ones. */
  async observe(which: () => readonly Registration[], by: CallFor): Promise<Observed> {
    let ids: readonly string[] = [];
    const named = () => {
      ids = which().map(({ target }) => target);
      return ids;
    };
    const { at, states } = await this.#named.ask(named, by);
    return { at, states: await this.#stateOfEach(ids, states, by) };
  }

  knownHealth(): ReadTargets | undefined {
    const { clock, keepsHealth } = this.#context;
    return keepsHealth() || clock.now() - this.readAt <= HEALTH_KEPT_MS ? this.#health : undefined;
  }

  /** When the health of all was last read, in milliseconds since the epoch. `-Infinity`: never. */
  get readAt(): number {
    return this.#health?.at ?? Number.NEGATIVE_INFINITY;
  }

  /** Reads the health of all. What can't be read any more must not be decided by, whatever it was before. */
  async read(by: CallFor): Promise<void> {
    try {
      await this.#all.ask(undefined, by);
    } catch (error) {
      if (!by.signal.aborted) this.#health = undefined;
      throw error;
    }
  }

  readHealth(since: number, by: CallFor): Promise<ReadTargets> {
    return this.#all.askSince(since, undefined, by);
  }

  #input(batch: readonly Registration[]) {
    return { LoadBalancerName: this.pool.id, Instances: batch.map(({ target }) => ({ InstanceId: target })) };
  }

  /** Where AWS's sentence is none of those that it documents, its list of the load balancer's instances decides. */
  async #stateOfEach(
    ids: readonly string[],
    states: NamedRead["states"],
    by: CallFor,
  ): Promise<ReadonlyMap<string, RegistrationState>> {
    const said = ids.map((id) => [id, stateOf(states.get(id))] as const);
    const isUnclear = said.some(([, state]) => state === undefined);
    const listed = isUnclear ? await instancesOf(this.#context.aws, this.pool.id, by) : NO_INSTANCES;
    const byList = (id: string): RegistrationState => {
      if (listed.has(id)) return "live";
      // One that is being deregistered shows InService until its requests in flight have ended.
      return states.get(id)?.State === "OutOfService" ? "unlisted" : "draining";
    };
    return new Map(said.map(([id, state]) => [id, state ?? byList(id)]));
  }

  async #readNamed(about: () => readonly (() => readonly string[])[], by: CallFor): Promise<NamedRead> {
    const { aws, clock } = this.#context;
    let at = 0;
    const asked = () => {
      at = clock.now();
      return [...new Set(about().flatMap((some) => some()))];
    };
    const states = await describeInstanceHealth(aws, this.pool.id, asked, by);
    return { at, states: new Map(states.map((state) => [state.InstanceId ?? "", state])) };
  }

  async #readAll(sent: () => unknown, by: CallFor): Promise<ReadTargets> {
    const { aws, clock } = this.#context;
    let at = clock.now();
    const states = await describeInstanceHealth(
      aws,
      this.pool.id,
      () => {
        sent();
        at = clock.now();
        return undefined;
      },
      by,
    );
    const targets = states.map((state) => {
      const known = stateOf(state) ?? "live";
      return {
        target: state.InstanceId ?? "",
        state: known,
        isHealthy: state.State === "InService" && known === "live",
      };
    });
    const read = this.#withoutEnded({ at, targets });
    // Answers may overtake one another.
    if (at >= (this.#health?.at ?? Number.NEGATIVE_INFINITY)) this.#health = read;
    return read;
  }

  #withoutEnded({ at, targets }: ReadTargets): ReadTargets {
    const isOld = (target: string) => at <= (this.#endedAt.get(target) ?? Number.NEGATIVE_INFINITY);
    return { at, targets: targets.map((one) => (isOld(one.target) ? { ...one, ...DEREGISTERED } : one)) };
  }
}
