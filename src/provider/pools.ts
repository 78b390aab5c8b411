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
  /** Whether groups of other networks count, if they may have addresses of the node. */
  readonly searchesOthers: boolean;
  /** The place of every pool. Absent: they have none. */
  readonly place?: string | undefined;
  /** Called whenever AWS's answer was applied, whichever caller asked for it. */
  readonly onListed: () => void;
}

/**
 * The pools of the region in which a node could be registered, with everything that is known about each. A pool that
 * AWS does not list any more is removed completely.
 */
export class Pools {
  readonly groups = new Map<string, TargetGroup>();
  readonly classics = new Map<string, ClassicLoadBalancer>();
  /** Pools that a ledger or a caller knows, until AWS lists the pools. */
  readonly #unlisted = new Map<string, TargetGroup | ClassicLoadBalancer>();
  /** When the last list was requested, in milliseconds since the epoch. `-Infinity`: never. */
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

  /** Lists all pools. What is known about existing pools is kept. */
  refresh(by: CallFor): Promise<void> {
    return this.#list.ask(undefined, by);
  }

  /** All that are listed. */
  *[Symbol.iterator](): Iterator<TargetGroup | ClassicLoadBalancer> {
    yield* this.groups.values();
    yield* this.classics.values();
  }

  /** The number of the last read of a target group that was sent. */
  get lastRead(): number {
    return this.#context.reads.last;
  }

  /** The pool, if it is listed. */
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

  /** The groups that may have the node: those in its networks first, which have it most often. */
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
   * Whether the group may have the node. In the node's networks any group may. In another network a target of the node
   * can be registered only by its address, and gets traffic only from a load balancer.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html
   */
  isAround(node: Node, { network = "", targetType, pool }: TargetGroup): boolean {
    if (isIn(node, network)) return true;
    return this.#searchesOthers && targetType !== "instance" && pool.kind !== "unattached";
  }

  /**
   * Whether a pool belongs to the cluster: a target group does if it or its load balancer has the tag. Undefined for a
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

  /** The same by the last known tags, whatever their age. Undefined if those of one pool were never read. */
  lastTaggedWith(cluster: string, node: Node, tags: KnownTags): ((pool: Pool) => boolean | undefined) | undefined {
    const asked = this.#taggable(node);
    const [byArn, byName] = [tags.arns.lastKnown(asked.arns), tags.names.lastKnown(asked.names)];
    return byArn && byName && isTaggedBy(cluster, asked, { byArn, byName });
  }

  /** The resources that have the tags of all listed pools. */
  get taggable(): Taggable {
    return taggableOf([...this.groups.values()], this.classics.values());
  }

  /** The resources that have the tags of the pools that may have the node. */
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
    // Functions and load balancers are not nodes. A target type that is missing or unknown may be.
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
    if (group !== before) group.isNew = Number.isFinite(this.listedAt);
    group.listed({
      pool,
      network: listing.VpcId ?? "",
      targetType: listing.TargetType === "ip" || listing.TargetType === "instance" ? listing.TargetType : "unknown",
      loadBalancerArns: listing.LoadBalancerArns ?? [],
      check: healthCheckOf(listing),
    });
    return group;
  }

  /** If another load balancer has the name now, nothing that was known about the former one applies. */
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

/** A name is free again when its load balancer is deleted. Another one may get it, even in another VPC. */
function identityOf({ VPCId, DNSName, CreatedTime }: LoadBalancerDescription): string {
  return JSON.stringify([VPCId, DNSName, CreatedTime?.getTime()]);
}

/** The resources that have the tags of pools, each once. */
interface Taggable {
  /** Each group with its load balancers. */
  readonly groups: readonly (readonly [id: string, arns: readonly string[]])[];
  readonly arns: readonly string[];
  /** The names of classic load balancers. */
  readonly names: readonly string[];
}

function taggableOf(groups: readonly TargetGroup[], classics: Iterable<ClassicLoadBalancer>): Taggable {
  const each = groups.map(({ pool, loadBalancerArns }) => [pool.id, [pool.id, ...loadBalancerArns]] as const);
  const names = [...classics].map(({ pool }) => pool.id);
  return { groups: each, arns: [...new Set(each.flatMap(([, arns]) => arns))], names };
}

/** Undefined for a pool that was not asked about. */
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

/** A pool of an unknown network may be in any. */
function isIn({ network: own, otherNetworks = [] }: Node, network: string): boolean {
  const isOne = (one: string) => one === "" || one === network;
  return network === "" || isOne(own) || otherNetworks.some((other) => isOne(other.network));
}

function replace<K extends { readonly pool: Pool }>(known: Map<string, K>, listed: readonly K[]): void {
  known.clear();
  for (const one of listed) known.set(one.pool.id, one);
}
