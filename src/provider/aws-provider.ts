import { setImmediate } from "node:timers/promises";
import type { AwsAccess } from "../aws/aws-caller.ts";
import type { Clock } from "../drain/clock.ts";
import {
  addressOf,
  type CallFor,
  type CloudProvider,
  type FoundRegistrations,
  type LastKnown,
  type Node,
  type Observed,
  type Pool,
  type PoolHealth,
  type PoolTerms,
  type Registration,
  type Remembered,
  type Vanished,
} from "../drain/cloud-provider.ts";
import type { CloudState } from "../drain/cloud-state.ts";
import { type AccessProblem, DrainError } from "../drain/errors.ts";
import type { NodeReference } from "../drain/request.ts";
import { checkAccess } from "./access.ts";
import type { AuditPools, PoolAudit } from "./audit.ts";
import { BranchInterfaces } from "./branch-interfaces.ts";
import { CrossZoneSettings } from "./cross-zone.ts";
import { fastPath } from "./fast-path.ts";
import { IndexRefresh } from "./index-refresh.ts";
import { asEc2Writes, InstanceLookup } from "./instance-lookup.ts";
import { InstanceZones } from "./instance-zones.ts";
import {
  asLiveNode,
  findRunning,
  type InstanceSearch,
  othersAmong,
  theLiveOne,
  withAddressesOf,
  withoutAddresses,
} from "./instances.ts";
import { KnownInstances } from "./known-instances.ts";
import { KnownTags } from "./known-tags.ts";
import { MembershipIndex } from "./membership-index.ts";
import { NodeAddresses } from "./node-addresses.ts";
import { obstaclesTo } from "./obstacles.ts";
import { PoolHealths } from "./pool-healths.ts";
import type { Pools } from "./pools.ts";
import { AWS_WORDS, type HoldAllowances, ReleaseTerms } from "./release-terms.ts";
import { listedZoneOf } from "./target-groups.ts";

export interface AwsProviderOptions extends InstanceSearch {
  /** How long traffic goes on after deregistrations, whatever the pools' own settings say. */
  readonly allowances: HoldAllowances;
  /** `vpc`: every pool of the node's VPC that it is registered in. `tag`: only those that carry the cluster's tag. */
  readonly discovery: "vpc" | "tag";
  /** How many pools a second are read to know beforehand who is registered where. 0: none. */
  readonly indexPerSecond: number;
  /** The cluster whose tag the IAM policy demands of a pool that is written. Absent: any may be. */
  readonly writableCluster?: string;
  /** The guard will ask for the health of pools with nodes that are drained. Absent: it will not. */
  readonly isGuarded?: boolean;
  /** Hears of each read of the index that failed. */
  readonly onIndexFailed?: (error: DrainError) => void;
  /** Groups of addresses in other VPCs are not searched. Absent: they are. */
  readonly ignoresOtherNetworks?: boolean;
  /** The name of this account and region, where there are several: its pools have it. */
  readonly place?: string;
  /** What EC2 says of machines in all places. Absent: in this one. */
  readonly machines?: Machines;
}

/** What EC2 is asked about machines on behalf of pools, which may be another account's. */
export interface Machines {
  /** With the addresses that the node has now: none, where EC2 does not describe it any more. */
  asItIsNow(node: Node, by: CallFor): Promise<Node>;
  /** Which other machines have the address, each with its network. */
  othersWith(address: string, node: Node, by: CallFor): Promise<readonly string[]>;
}

/** AWS as the core sees it: EC2 instances, target groups and classic load balancers of one region. */
export class AwsProvider implements CloudProvider, Machines {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #options: AwsProviderOptions;
  readonly #machines: Machines;
  readonly #zones: InstanceZones;
  readonly #known: KnownInstances;
  readonly #instances: InstanceLookup;
  readonly #branches: BranchInterfaces;
  readonly #tags: KnownTags;
  readonly #index: MembershipIndex;
  readonly #refresh: IndexRefresh;
  readonly #healths: PoolHealths;
  readonly #releases: ReleaseTerms;
  readonly words = AWS_WORDS;
  readonly fastPath = fastPath;

  constructor(aws: AwsAccess, clock: Clock, options: AwsProviderOptions) {
    this.#aws = aws;
    this.#clock = clock;
    this.#options = options;
    this.#machines = options.machines ?? this;
    this.#releases = new ReleaseTerms(options.allowances);
    this.#zones = new InstanceZones(aws);
    const crossZone = new CrossZoneSettings(aws, clock);
    this.#known = new KnownInstances(aws, clock, (instance) => {
      this.#zones.learned(instance);
      return asLiveNode(instance, options);
    });
    this.#instances = new InstanceLookup(aws, clock);
    this.#branches = new BranchInterfaces(aws, clock);
    this.#tags = new KnownTags(aws, clock);
    this.#index = new MembershipIndex({
      aws,
      clock,
      tags: this.#tags,
      writableCluster: options.writableCluster,
      crossZone,
      remembers: options.indexPerSecond > 0,
      isGuarded: options.isGuarded ?? false,
      meant: (node, pools, by) => this.#meant(node, pools, by),
      place: options.place,
      asItIsNow: (node, by) => this.#machines.asItIsNow(node, by),
      searchesOthers: options.ignoresOtherNetworks !== true,
      othersWith: (address, node, by) => this.#machines.othersWith(address, node, by),
    });
    this.#healths = new PoolHealths({ pools: this.#index.pools, crossZone, zones: this.#zones });
    const { indexPerSecond } = options;
    this.#refresh = new IndexRefresh({
      clock,
      index: this.#index,
      instances: this.#known,
      isGuarded: options.isGuarded ?? false,
      prepareGuard: (pool, by) => this.#healths.prepare(pool, by),
      onFailure: (error) => options.onIndexFailed?.(error),
      refreshTags: async (by) => options.discovery === "tag" && this.#refreshTags(by),
      indexPerSecond,
    });
  }

  /** Keeps the index of memberships fresh until `signal` aborts. */
  maintainIndex(signal: AbortSignal): Promise<void> {
    return this.#refresh.run(signal);
  }

  /** One: there is one place. */
  get states(): readonly CloudState[] {
    const { place } = this.#options;
    const { quotas } = this.#aws.caller;
    return [{ ...(place !== undefined && { place }), quotas, index: this.#refresh.state }];
  }

  async resolve(named: NodeReference, by: CallFor): Promise<Node> {
    const reference = asEc2Writes(named);
    const found = await this.#instances.find(reference, by);
    const node = theLiveOne(found, reference, this.#options);
    const instance = found.find(({ InstanceId }) => InstanceId === node.id);
    if (instance === undefined) return node;
    this.#zones.learned(instance);
    const whole = { ...node, ...withAddressesOf(instance, await this.#branches.soonOf(instance, by)) };
    if (whole.isPartial !== true) this.#known.met(whole);
    return whole;
  }

  lastKnown(reference: NodeReference): LastKnown | undefined {
    const node = this.lastKnownNode(reference);
    const found = node && this.lastKnownOf(node);
    return node && found && { node, ...found };
  }

  /** The node that the reference names, as it was last seen. */
  lastKnownNode(reference: NodeReference): Node | undefined {
    return this.#known.lastKnown(asEc2Writes(reference));
  }

  /** The registrations of the node as they were last seen, as in `lastKnown`. */
  lastKnownOf(node: Node): Omit<LastKnown, "node"> | undefined {
    const cluster = this.#clusterMeant(node);
    const { pools } = this.#index;
    const isMeant = cluster === undefined ? () => true : pools.lastTaggedWith(cluster, node, this.#tags);
    const found = isMeant && this.#index.lastKnown(node, isMeant);
    if (found === undefined) return undefined;
    return { ...found, asOf: Math.min(found.asOf, node.asOf ?? Number.POSITIVE_INFINITY) };
  }

  recall(id: string): Node | undefined {
    return this.#known.recall(id);
  }

  findRegistrations(node: Node, by: CallFor): AsyncIterable<FoundRegistrations> {
    this.#clusterMeant(node);
    return this.#index.find(node, by);
  }

  async remembered(node: Node, by: CallFor): Promise<Remembered | undefined> {
    return this.#index.remembered(node, by);
  }

  knownHealth(pool: Pool): PoolHealth | undefined {
    return this.#healths.known(pool);
  }

  async healthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    this.#checkPlace(pool);
    return this.#healths.of(pool, notBefore, by);
  }

  async strictHealthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth> {
    this.#checkPlace(pool);
    return this.#healths.strictlyOf(pool, notBefore, by);
  }

  knownStrictHealth(pool: Pool): PoolHealth | undefined {
    return this.#healths.strictlyKnown(pool);
  }

  holdOfUnlistedMs(node: Node): number {
    const { pools } = this.#index;
    const around = [...pools.groupsOf(node), ...pools.classicsOf(node)];
    return around.reduce((longest, { pool }) => Math.max(longest, this.termsAfterDelay(pool).holdMs), 0);
  }

  vanished(node: Node): readonly Vanished[] {
    const now = this.#clock.now();
    return this.#index
      .vanished(node)
      .filter(({ registration, at }) => now < at + this.termsAfterDelay(registration.pool).holdMs);
  }

  mayHoldAddresses(node: Node): boolean {
    const groups = this.#index.pools.groupsOf(node);
    return groups.length === 0 || groups.some(({ targetType }) => targetType !== "instance");
  }

  get hasAddressGroups(): boolean {
    return [...this.#index.pools.groups.values()].some(({ targetType }) => targetType !== "instance");
  }

  async describe(pool: Pool, by: CallFor): Promise<PoolTerms | undefined> {
    this.#checkPlace(pool);
    const settings = await this.#index.pools.of(pool).settings.of(by);
    return settings && this.#releases.of(pool.kind, settings);
  }

  termsAfterDelay({ kind }: Pool): PoolTerms {
    return this.#releases.afterDelay(kind);
  }

  async deregister(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    this.#checkPlace(pool);
    const requested = new Set<string>();
    const taking = async (max: number) => {
      // The nodes of one wave are asked for one after the other: those that are on their way here come along.
      await setImmediate();
      const registrations = take(max);
      for (const { target } of registrations) requested.add(target);
      return registrations;
    };
    await this.#index.pools.of(pool).deregister(taking, by);
    this.#index.deregistered(pool, requested);
  }

  async register(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void> {
    this.#checkPlace(pool);
    const taken: Registration[] = [];
    const refused = new Set<string>();
    const refuses: CallFor["refuses"] = (targets, why) => {
      for (const target of targets) refused.add(target);
      by.refuses?.(targets, why);
    };
    const taking = async (max: number) => {
      const registrations = take(max);
      taken.push(...registrations);
      return registrations;
    };
    await this.#index.pools.of(pool).register(taking, { ...by, refuses });
    const again = taken.filter(({ target }) => !refused.has(target));
    if (again.length > 0) this.#index.registered(pool, again);
  }

  obstacles(
    node: Node,
    registrations: readonly Registration[],
    by: CallFor,
  ): Promise<ReadonlyMap<Registration, string>> {
    const asItIsNow = (machine: Node, call: CallFor) => this.#machines.asItIsNow(machine, call);
    return obstaclesTo(registrations, node, by, { pools: this.#index.pools, asItIsNow });
  }

  msToDeregister(pools: readonly Pool[]): readonly number[] {
    const calls = new Map<string, number>();
    return pools.map((pool) => {
      const { deregisters } = this.#index.pools.of(pool);
      const before = calls.get(deregisters.name) ?? 0;
      calls.set(deregisters.name, before + 1);
      return this.#aws.caller.msFor(deregisters, before + 1);
    });
  }

  async observe(pool: Pool, which: () => readonly Registration[], by: CallFor): Promise<Observed> {
    this.#checkPlace(pool);
    return this.#index.pools.of(pool).observe(which, by);
  }

  async stillOwned(node: Node, registrations: readonly Registration[], by: CallFor): Promise<readonly Registration[]> {
    // AWS never reuses an instance id.
    if (registrations.every((registration) => addressOf(registration) === undefined)) return registrations;
    // All that came back at once are asked about in one call.
    const own = new NodeAddresses(await this.#machines.asItIsNow(node, by));
    return registrations.filter((registration) => {
      const address = addressOf(registration);
      const network = this.#index.pools.groups.get(registration.pool.id)?.network;
      if (address === undefined) return true;
      if (network === undefined) return own.has(address);
      const claim = own.claim(network, address, listedZoneOf(registration));
      return claim === "own" || claim === "outside";
    });
  }

  findTerminated(nodes: readonly Pick<Node, "id">[], by: CallFor): Promise<ReadonlySet<string>> {
    return this.#known.findTerminated(nodes, by);
  }

  findRunning(nodes: readonly Pick<Node, "id">[], by: CallFor): Promise<ReadonlySet<string>> {
    return findRunning(this.#aws, nodes, by);
  }

  /** Whether drains reach what a ledger has of this place. */
  covers(place: string | undefined): boolean {
    return place === this.#options.place;
  }

  /** What would keep drains from working: see `checkAccess` in `access.ts`. */
  checkAccess(signal: AbortSignal): Promise<readonly AccessProblem[]> {
    return checkAccess(this.#aws, this.#options, signal);
  }

  /** What decides whether pools lose requests. `auditPools` comes from the caller, because only doctor needs its code. */
  audit(auditPools: AuditPools, region: string | undefined, by: CallFor): Promise<PoolAudit> {
    const [release, healths, tags] = [this.#releases, this.#healths, this.#tags];
    const parts = { aws: this.#aws, pools: this.#index.pools, release, healths, tags };
    return auditPools(parts, { ...this.#options, region }, by);
  }

  async asItIsNow(node: Node, by: CallFor): Promise<Node> {
    const [instance] = await this.#instances.find({ by: "id", value: node.id }, by);
    if (instance === undefined) return withoutAddresses(node);
    const { podAddresses, place } = node;
    const now = withAddressesOf(instance, await this.#branches.of(instance, by));
    return { ...now, ...(podAddresses && { podAddresses }), ...(place && { place }) };
  }

  async othersWith(address: string, node: Node, by: CallFor): Promise<readonly string[]> {
    const found = await this.#instances.find(asEc2Writes({ by: "ip", value: address }), by);
    return othersAmong(found, address, node);
  }

  /** AWS would say of a pool of another place that it does not exist, as of one that has vanished. */
  #checkPlace({ name, place }: Pool): void {
    if (this.covers(place)) return;
    throw new DrainError("cloud-error", `${name} is in ${place}, which AWS_PLACES does not name: add it`);
  }

  async #refreshTags(by: CallFor): Promise<boolean> {
    const { arns, names } = this.#index.pools.taggable;
    return (await this.#tags.arns.refreshOldest(arns, by)) || (await this.#tags.names.refreshOldest(names, by));
  }

  /** Which of the listed pools are meant. */
  async #meant(node: Node, pools: Pools, by: CallFor): Promise<(pool: Pool) => boolean | undefined> {
    const cluster = this.#clusterMeant(node);
    return cluster === undefined ? () => true : pools.taggedWith(cluster, node, this.#tags, by);
  }

  /** Whose tag the pools must carry. Undefined: any pool. */
  #clusterMeant(node: Node): string | undefined {
    if (this.#options.discovery === "vpc") return undefined;
    const cluster = this.#options.clusterName ?? node.cluster;
    if (cluster !== undefined) return cluster;
    throw new DrainError(
      "other-cluster",
      `${node.id} carries no cluster tag, and DISCOVERY=tag needs one: set CLUSTERNAME, or DISCOVERY=vpc`,
    );
  }
}
