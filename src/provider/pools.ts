import type { LoadBalancerDescription } from "@aws-sdk/client-elastic-load-balancing";
import type { TargetGroup as ListedTargetGroup } from "@aws-sdk/client-elastic-load-balancing-v2";
import { SharedCall } from "../aws/shared-call.ts";
import type { CallFor, Node, Pool } from "../drain/cloud-provider.ts";
import { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import { listClassicLoadBalancers, poolOfClassic } from "./classic-load-balancers.ts";
import { carriesClusterTag } from "./cluster-tags.ts";
import { healthCheckOf } from "./health-checks.ts";
import type { PoolContext } from "./known-pool.ts";
import type { KnownTags } from "./known-tags.ts";
import { networkIdsOf } from "./node-addresses.ts";
import type { TagsById } from "./tags.ts";
import { TargetGroup } from "./target-group.ts";
import { listTargetGroups, poolOfGroup } from "./target-groups.ts";

export interface PoolsOptions {
  /** Groups of other networks count, where they may hold addresses of the node. */
  readonly searchesOthers: boolean;
  /** The place of every pool. Absent: they have none. */
  readonly place?: string | undefined;
  /** Runs whenever AWS's answer has been taken down, whichever caller asked for it. */
  readonly onListed: () => void;
}

/**
 * The pools of the region that a node could be registered in, with all that is known of each. What AWS lists no more is
 * dropped as a whole.
 */
export class Pools {
  readonly groups = new Map<string, TargetGroup>();
  readonly classics = new Map<string, ClassicLoadBalancer>();
  /** Of which a ledger knows, or a caller, until AWS lists the pools. */
  readonly #unlisted = new Map<string, TargetGroup | ClassicLoadBalancer>();
  /** When AWS was last asked, in milliseconds since the epoch. `-Infinity`: never. */
  listedAt = Number.NEGATIVE_INFINITY;
  readonly #context: PoolContext;
  readonly #list: SharedCall<undefined, void>;
  readonly #searchesOthers: boolean;
  readonly #place: Pick<Pool, "place">;
  readonly #onListed: PoolsOptions["onListed"];

  constructor(context: PoolContext, { searchesOthers, place, onListed }: PoolsOptions) {
    this.#context = context;
    this.#searchesOthers = searchesOthers;
    this.#place = place ? { place } : {};
    this.#onListed = onListed;
    this.#list = new SharedCall((sent, by) => this.#listAll(sent, by), context.clock);
  }

  /** Asks AWS for all pools. Knowledge of existing pools is retained. */
  refresh(by: CallFor): Promise<void> {
    return this.#list.ask(undefined, by);
  }

  /** All that are listed. */
  *[Symbol.iterator](): Iterator<TargetGroup | ClassicLoadBalancer> {
    yield* this.groups.values();
    yield* this.classics.values();
  }

  /** The number of the read of a target group that was sent last. */
  get lastRead(): number {
    return this.#context.reads.last;
  }

  /** The pool, where it is listed. */
  listed({ id }: Pick<Pool, "id">): TargetGroup | ClassicLoadBalancer | undefined {
    return this.groups.get(id) ?? this.classics.get(id);
  }

  /** The pool, listed or not. */
  of(pool: Pool): TargetGroup | ClassicLoadBalancer {
    const known = this.listed(pool) ?? this.#unlisted.get(pool.id);
    if (known !== undefined) return known;
    const made = new (pool.kind === "classic" ? ClassicLoadBalancer : TargetGroup)(pool, this.#context);
    this.#unlisted.set(pool.id, made);
    return made;
  }

  /** Those that may hold the node: first those in its networks, which hold it most often. */
  groupsOf(node: Node): readonly TargetGroup[] {
    const own = networkIdsOf(node);
    const around = [...this.groups.values()].filter((group) => this.isAround(node, group));
    const isOwn = ({ network }: TargetGroup) => network !== undefined && own.includes(network);
    return [...around.filter(isOwn), ...around.filter((group) => !isOwn(group))];
  }

  classicsOf(node: Node): readonly ClassicLoadBalancer[] {
    return [...this.classics.values()].filter(({ network = "" }) => isIn(node, network));
  }

  /**
   * Whether the group may hold the node. In the node's networks any may; in another one a target of the node can only be
   * registered by its address, and gets traffic only by a load balancer.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html
   */
  isAround(node: Node, { network = "", targetType, pool }: TargetGroup): boolean {
    if (isIn(node, network)) return true;
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
    const { aws, clock } = this.#context;
    let at = Number.POSITIVE_INFINITY;
    const onSent = () => {
      at = Math.min(at, clock.now());
      sent();
    };
    const [groups, classics] = await Promise.all([
      listTargetGroups(aws, by, onSent),
      listClassicLoadBalancers(aws, by, onSent),
    ]);
    // Functions and load balancers are no nodes. What AWS does not name, or names anew, may be.
    const holdNodes = groups.filter(({ TargetType }) => TargetType !== "lambda" && TargetType !== "alb");
    replace(
      this.groups,
      holdNodes.map((group) => this.#group(group)),
    );
    replace(
      this.classics,
      classics.map((classic) => this.#classic(classic, at)),
    );
    this.#unlisted.clear();
    this.listedAt = at;
    this.#onListed();
  }

  #group(listing: ListedTargetGroup): TargetGroup {
    const pool = { ...poolOfGroup(listing), ...this.#place };
    const before = this.groups.get(pool.id) ?? this.#unlisted.get(pool.id);
    const group = before instanceof TargetGroup ? before : new TargetGroup(pool, this.#context);
    group.listed({
      pool,
      network: listing.VpcId ?? "",
      targetType: listing.TargetType === "ip" || listing.TargetType === "instance" ? listing.TargetType : "unknown",
      loadBalancerArns: listing.LoadBalancerArns ?? [],
      check: healthCheckOf(listing),
    });
    return group;
  }

  /** Where another one has the name now, nothing holds that was known of the one before. */
  #classic(listing: LoadBalancerDescription, at: number): ClassicLoadBalancer {
    const { LoadBalancerName = "", VPCId = "", Instances = [] } = listing;
    const pool = { ...poolOfClassic(LoadBalancerName), ...this.#place };
    const identity = identityOf(listing);
    const before = this.classics.get(pool.id) ?? this.#unlisted.get(pool.id);
    const isTheSame = before instanceof ClassicLoadBalancer && (before.identity ?? identity) === identity;
    if (before !== undefined && !isTheSame) this.#context.tags.names.forget(pool.id);
    const classic = isTheSame ? before : new ClassicLoadBalancer(pool, this.#context);
    classic.listed(
      { pool, identity, network: VPCId, instances: Instances.map(({ InstanceId = "" }) => InstanceId) },
      at,
    );
    return classic;
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

function taggableOf(groups: readonly TargetGroup[], classics: Iterable<ClassicLoadBalancer>): Taggable {
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
function isIn({ network: own, otherNetworks = [] }: Node, network: string): boolean {
  const isOne = (one: string) => one === "" || one === network;
  return network === "" || isOne(own) || otherNetworks.some((other) => isOne(other.network));
}

function replace<K extends { readonly pool: Pool }>(known: Map<string, K>, listed: readonly K[]): void {
  known.clear();
  for (const one of listed) known.set(one.pool.id, one);
}
