import { isIPv6 } from "node:net";
import type { LoadBalancerDescription } from "@aws-sdk/client-elastic-load-balancing";
import type { TargetGroup } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import { type CallFor, idOf, type Node, type Pool, type Registration } from "../drain/cloud-provider.ts";
import { classicRegistrationOf, listClassicLoadBalancers, poolOfClassic } from "./classic-load-balancers.ts";
import { carriesClusterTag } from "./cluster-tags.ts";
import { type HealthCheckSettings, healthCheckOf } from "./health-checks.ts";
import type { KnownTags } from "./known-tags.ts";
import { addressesOf, NodeAddresses, networkIdsOf, prefixesOf } from "./node-addresses.ts";
import type { TagsById } from "./tags.ts";
import { listTargetGroups, poolOfGroup } from "./target-groups.ts";

/** No classic load balancer drains for longer (the largest draining timeout). */
export const CLASSIC_DRAINS_MAX_MS = 3_600_000;

/** A target group, and what was last seen in it. */
export interface KnownGroup {
  pool: Pool;
  readonly network: string;
  /** `unknown`: AWS gave none, or one that this program does not know. It is searched for ids and addresses. */
  readonly targetType: "instance" | "ip" | "unknown";
  loadBalancerArns: readonly string[];
  /** How its targets are checked, as AWS has listed it last. */
  check: HealthCheckSettings;
  /** When it was last read, in milliseconds since the epoch. `-Infinity`: never. */
  readAt: number;
  /** The number of that read. 0: never. */
  readNumber: number;
  /** What the list stores. */
  registrations: readonly Registration[];
  /** Whether that is all of them. */
  isWhole: boolean;
  /** Whether the guard needs the health of all of them. */
  isGuarded: boolean;
  /** What this process has deregistered: by target, the number of the last read that was sent before AWS acknowledged it. */
  readonly endedBy: Map<string, number>;
}

const DEREGISTERED = { state: "draining", detail: "draining", isHealthy: false } as const;
const REGISTERED = { state: "initial", detail: "initial", isHealthy: false } as const;

/** These were deregistered, and `lastRead` is the number of the last read that was sent before AWS acknowledged that. */
export function noteDeregistered(group: KnownGroup, targets: ReadonlySet<string>, lastRead: number): void {
  // Reads that have been answered since tell nothing of a time before them.
  for (const [target, number] of group.endedBy) if (number < group.readNumber) group.endedBy.delete(target);
  for (const target of targets) group.endedBy.set(target, lastRead);
  group.registrations = group.registrations.map((registration) =>
    targets.has(registration.target) ? withStatus(registration, DEREGISTERED) : registration,
  );
}

/** These were registered again. A read that was sent before their deregistration tells nothing of them either way. */
export function noteRegistered(group: KnownGroup, again: readonly Registration[]): void {
  const targets = new Set(again.map(({ target }) => target));
  const others = group.registrations.filter(({ target }) => !targets.has(target));
  group.registrations = [...others, ...again.map((one) => withStatus(one, REGISTERED))];
}

function withStatus(registration: Registration, status: typeof DEREGISTERED | typeof REGISTERED): Registration {
  const { mayBeHealthy: _, ...known } = registration;
  return { ...known, ...status };
}

/** The registration as read number `read` lists it, unless that was sent before its deregistration was acknowledged. */
export function asNoted(group: KnownGroup, registration: Registration, read: number): Registration {
  const isOld = read <= (group.endedBy.get(registration.target) ?? 0);
  return isOld ? withStatus(registration, DEREGISTERED) : registration;
}

/** The object that is there already, where nothing has changed: there may be hundred thousands of them. */
export function unlessKnown(registration: Registration, before: ReadonlyMap<string, Registration>): Registration {
  const known = before.get(registration.target);
  const { pool, state, detail } = registration;
  return known?.pool === pool && known.state === state && known.detail === detail ? known : registration;
}

/** A classic load balancer: its listing names its instances. */
export interface KnownClassic {
  readonly pool: Pool;
  /** The same of two listings: it is the same load balancer, and not another one of its name. */
  readonly identity: string;
  readonly network: string;
  readonly watchedSince: number;
  /** By its newest listing. */
  instances: ReadonlySet<string>;
  /** When each instance was last listed, in milliseconds since the epoch. */
  readonly listedAt: Map<string, number>;
}

export interface PoolListOptions {
  /** Groups of other networks count, where they may hold addresses of the node. */
  readonly searchesOthers: boolean;
  /** The place of every pool. Absent: they have none. */
  readonly place?: string | undefined;
  /**
   * Runs whenever AWS's answer has been taken down, whichever caller asked for it. `changed`: the ids of pools of which
   * nothing that was known before holds: a classic load balancer was made again under its name, or another kind of load
   * balancer uses the group.
   */
  readonly onListed: (changed: ReadonlySet<string>) => void;
}

/** The pools of the region that a node could be registered in. */
export class PoolList {
  readonly groups = new Map<string, KnownGroup>();
  readonly classics = new Map<string, KnownClassic>();
  /** When AWS was last asked, in milliseconds since the epoch. `-Infinity`: never. */
  listedAt = Number.NEGATIVE_INFINITY;
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #list: SharedCall<undefined, void>;
  readonly #searchesOthers: boolean;
  readonly #place: Pick<Pool, "place">;
  readonly #onListed: PoolListOptions["onListed"];

  constructor(aws: AwsAccess, clock: Clock, { searchesOthers, place, onListed }: PoolListOptions) {
    this.#aws = aws;
    this.#clock = clock;
    this.#searchesOthers = searchesOthers;
    this.#place = place ? { place } : {};
    this.#onListed = onListed;
    this.#list = new SharedCall((sent, by) => this.#listAll(sent, by), clock);
  }

  /** Asks AWS for all pools. Knowledge of existing pools is retained. */
  refresh(by: CallFor): Promise<void> {
    return this.#list.ask(undefined, by);
  }

  /** Those that may hold the node: first those in its networks, which hold it most often. */
  groupsOf(node: Node): readonly KnownGroup[] {
    const own = networkIdsOf(node);
    const around = [...this.groups.values()].filter((group) => this.isAround(node, group));
    const isOwn = ({ network }: KnownGroup) => own.includes(network);
    return [...around.filter(isOwn), ...around.filter((group) => !isOwn(group))];
  }

  classicsOf(node: Node): readonly KnownClassic[] {
    const own = networkIdsOf(node);
    return [...this.classics.values()].filter(({ network }) => isAmong(own, network));
  }

  /**
   * Whether the group may hold the node. In the node's networks any may; in another one a target of the node can only be
   * registered by its address, and gets traffic only by a load balancer.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html
   */
  isAround(node: Node, { network, targetType, pool }: KnownGroup): boolean {
    if (isAmong(networkIdsOf(node), network)) return true;
    return this.#searchesOthers && targetType !== "instance" && pool.kind !== "unattached";
  }

  /**
   * Which pools belong to the cluster: a target group does when it or its load balancer carries the tag. Undefined of a
   * pool that was not listed yet.
   */
  async taggedWith(
    cluster: string,
    node: Node,
    tags: KnownTags,
    by: CallFor,
  ): Promise<(pool: Pool) => boolean | undefined> {
    const asked = this.#taggable(node);
    const [byArn, byName] = await Promise.all([tags.arns.of(asked.arns, by), tags.names.of(asked.names, by)]);
    return isTaggedBy(cluster, asked, { byArn, byName });
  }

  /** The same by the tags that were last seen, however long ago. Undefined where they were never seen of one of the pools. */
  lastTaggedWith(cluster: string, node: Node, tags: KnownTags): ((pool: Pool) => boolean | undefined) | undefined {
    const asked = this.#taggable(node);
    const [byArn, byName] = [tags.arns.lastKnown(asked.arns), tags.names.lastKnown(asked.names)];
    return byArn && byName && isTaggedBy(cluster, asked, { byArn, byName });
  }

  /** What carries the tags of all pools that are listed. */
  get taggable(): Taggable {
    return taggableOf([...this.groups.values()], this.classics.values());
  }

  /** What carries the tags of those that may hold the node. */
  #taggable(node: Node): Taggable {
    return taggableOf(this.groupsOf(node), this.classicsOf(node));
  }

  async #listAll(sent: () => unknown, by: CallFor): Promise<void> {
    let at = Number.POSITIVE_INFINITY;
    const onSent = () => {
      at = Math.min(at, this.#clock.now());
      sent();
    };
    const [groups, classics] = await Promise.all([
      listTargetGroups(this.#aws, by, onSent),
      listClassicLoadBalancers(this.#aws, by, onSent),
    ]);
    const changed = new Set<string>();
    // Functions and load balancers are no nodes. What AWS does not name, or names anew, may be.
    const holdNodes = groups.filter(({ TargetType }) => TargetType !== "lambda" && TargetType !== "alb");
    retainOnly(
      this.groups,
      holdNodes.map((group) => this.#knownGroup(group, changed)),
    );
    retainOnly(
      this.classics,
      classics.map((classic) => this.#knownClassic(classic, at, changed)),
    );
    this.listedAt = at;
    this.#onListed(changed);
  }

  #knownGroup(group: TargetGroup, changed: Set<string>): KnownGroup {
    const pool = { ...poolOfGroup(group), ...this.#place };
    const loadBalancerArns = group.LoadBalancerArns ?? [];
    const known = this.groups.get(pool.id);
    if (known !== undefined) {
      // One object a pool, for as long as it is the same: registrations share it.
      if (known.pool.kind !== pool.kind) changed.add(pool.id);
      if (known.pool.kind !== pool.kind || known.pool.loadBalancer !== pool.loadBalancer) known.pool = pool;
      known.loadBalancerArns = loadBalancerArns;
      known.check = healthCheckOf(group);
      return known;
    }
    return {
      pool,
      network: group.VpcId ?? "",
      targetType: group.TargetType === "ip" || group.TargetType === "instance" ? group.TargetType : "unknown",
      loadBalancerArns,
      check: healthCheckOf(group),
      readAt: Number.NEGATIVE_INFINITY,
      readNumber: 0,
      registrations: [],
      isWhole: false,
      isGuarded: false,
      endedBy: new Map(),
    };
  }

  #knownClassic(listed: LoadBalancerDescription, at: number, changed: Set<string>): KnownClassic {
    const { LoadBalancerName = "", VPCId = "", Instances = [] } = listed;
    const identity = identityOf(listed);
    const before = this.classics.get(LoadBalancerName);
    if (before !== undefined && before.identity !== identity) changed.add(LoadBalancerName);
    const known =
      before?.identity === identity
        ? before
        : {
            pool: { ...poolOfClassic(LoadBalancerName), ...this.#place },
            identity,
            network: VPCId,
            watchedSince: at,
            instances: new Set<string>(),
            listedAt: new Map<string, number>(),
          };
    for (const [id, last] of known.listedAt) if (at - last > CLASSIC_DRAINS_MAX_MS) known.listedAt.delete(id);
    known.instances = new Set(Instances.map(({ InstanceId = "" }) => InstanceId));
    for (const id of known.instances) known.listedAt.set(id, at);
    return known;
  }
}

/** A name is free again once its load balancer is deleted: another one may have it, even in another VPC. */
function identityOf({ VPCId, DNSName, CreatedTime }: LoadBalancerDescription): string {
  return JSON.stringify([VPCId, DNSName, CreatedTime?.getTime()]);
}

/** What carries the tags of pools, each once. */
interface Taggable {
  /** Each with those of its load balancers. */
  readonly groups: readonly (readonly [id: string, arns: readonly string[]])[];
  readonly arns: readonly string[];
  /** Of classic load balancers. */
  readonly names: readonly string[];
}

function taggableOf(groups: readonly KnownGroup[], classics: Iterable<KnownClassic>): Taggable {
  const each = groups.map(({ pool, loadBalancerArns }) => [pool.id, [pool.id, ...loadBalancerArns]] as const);
  const names = [...classics].map(({ pool }) => pool.id);
  return { groups: each, arns: [...new Set(each.flatMap(([, arns]) => arns))], names };
}

/** Undefined of a pool that was not asked about. */
function isTaggedBy(
  cluster: string,
  { groups, names }: Taggable,
  { byArn, byName }: { readonly byArn: TagsById; readonly byName: TagsById },
): (pool: Pool) => boolean | undefined {
  const isTagged = (its: ReadonlyMap<string, string> | undefined) => carriesClusterTag(its ?? new Map(), cluster);
  const tagged = new Map<string, boolean>();
  for (const [id, arns] of groups)
    tagged.set(
      id,
      arns.some((arn) => isTagged(byArn.get(arn))),
    );
  for (const name of names) tagged.set(name, isTagged(byName.get(name)));
  return ({ id }) => tagged.get(id);
}

/** Where AWS has not said in which network something is, it may be in any. */
function isAmong(networks: readonly string[], network: string): boolean {
  return network === "" || networks.includes("") || networks.includes(network);
}

function retainOnly<K extends { readonly pool: Pool }>(known: Map<string, K>, listed: readonly K[]): void {
  known.clear();
  for (const one of listed) known.set(one.pool.id, one);
}

/** The instance's registration in a classic load balancer whose newest listing names it. */
export function listedIn({ pool, instances }: KnownClassic, { id }: Node): readonly Registration[] {
  return instances.has(id) ? [classicRegistrationOf(pool, id, "live")] : [];
}

type ById = ReadonlyMap<string, readonly Registration[]>;

/**
 * The memory of target groups, by instance id and address. It is sorted when a caller asks, and kept until
 * something changes: a wave of nodes asks at once.
 */
export class MembersById {
  readonly #groups: () => Iterable<KnownGroup>;
  #byId: ById | undefined;

  constructor(groups: () => Iterable<KnownGroup>) {
    this.#groups = groups;
  }

  changed(): void {
    this.#byId = undefined;
  }

  /** Every instance id and address that is registered. */
  ids(): Iterable<string> {
    return this.#ordered().keys();
  }

  /** By the instance's id. */
  ofInstance({ id }: Node): readonly Registration[] {
    return this.#ordered().get(id) ?? [];
  }

  /** By the addresses that the node is known to have, in whichever network. */
  ofAddresses(node: Node): readonly Registration[] {
    const byId = this.#ordered();
    const addresses = [...addressesOf(node), ...(node.interfaces ?? [])];
    // IPv4 addresses are written in one way only; of all others each must be looked at.
    if (prefixesOf(node).length === 0 && !addresses.some(isIPv6))
      return [...new Set(addresses)].flatMap((one) => byId.get(one) ?? []);
    const own = new NodeAddresses(node);
    return [...byId].flatMap(([id, registrations]) => (own.has(id) ? registrations : []));
  }

  #ordered(): ById {
    if (this.#byId !== undefined) return this.#byId;
    const byId = new Map<string, Registration[]>();
    for (const { registrations } of this.#groups()) {
      for (const registration of registrations) {
        const id = idOf(registration.target);
        const known = byId.get(id);
        if (known === undefined) byId.set(id, [registration]);
        else known.push(registration);
      }
    }
    this.#byId = byId;
    return byId;
  }
}
