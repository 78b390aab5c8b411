import { isIPv6 } from "node:net";
import type { LoadBalancerDescription } from "@aws-sdk/client-elastic-load-balancing";
import type { TargetGroup } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Node, Pool, Registration } from "../drain/cloud-provider.ts";
import { classicRegistrationOf, listClassicLoadBalancers, poolOfClassic } from "./classic-load-balancers.ts";
import { carriesClusterTag } from "./cluster-tags.ts";
import { addressMatcher } from "./instances.ts";
import { tagsByArn, tagsByName } from "./tags.ts";
import { idOf, listTargetGroups, poolOfGroup } from "./target-groups.ts";

/** No classic load balancer drains for longer (the largest draining timeout). */
export const CLASSIC_DRAINS_MAX_MS = 3_600_000;

/** A target group, and what was last seen in it. */
export interface KnownGroup {
  pool: Pool;
  readonly network: string;
  readonly targetType: "instance" | "ip";
  loadBalancerArns: readonly string[];
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

/** A classic load balancer: its listing names its instances. */
export interface KnownClassic {
  readonly pool: Pool;
  readonly network: string;
  readonly watchedSince: number;
  /** By its newest listing. */
  instances: ReadonlySet<string>;
  /** When each instance was last listed, in milliseconds since the epoch. */
  readonly listedAt: Map<string, number>;
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
  readonly #onListed: () => void;

  /** `onListed` runs whenever AWS's answer has been taken down, whichever caller asked for it. */
  constructor(aws: AwsAccess, clock: Clock, onListed: () => void) {
    this.#aws = aws;
    this.#clock = clock;
    this.#onListed = onListed;
    this.#list = new SharedCall((sent, by) => this.#listAll(sent, by), clock);
  }

  /** Asks AWS for all pools. Knowledge of existing pools is retained. */
  refresh(by: CallFor): Promise<void> {
    return this.#list.ask(undefined, by);
  }

  groupsOf({ network }: Pick<Node, "network">): readonly KnownGroup[] {
    return [...this.groups.values()].filter((group) => group.network === network);
  }

  classicsOf({ network }: Pick<Node, "network">): readonly KnownClassic[] {
    return [...this.classics.values()].filter((classic) => classic.network === network);
  }

  /**
   * Which pools belong to the cluster: a target group does when it or its load balancer carries the tag. Undefined of a
   * pool that was not listed yet.
   */
  async taggedWith(cluster: string, node: Node, by: CallFor): Promise<(pool: Pool) => boolean | undefined> {
    const groups = this.groupsOf(node);
    const arns = new Set(groups.flatMap(({ pool, loadBalancerArns }) => [pool.id, ...loadBalancerArns]));
    const names = this.classicsOf(node).map(({ pool }) => pool.id);
    const [byArn, byName] = await Promise.all([tagsByArn(this.#aws, [...arns], by), tagsByName(this.#aws, names, by)]);
    const isTagged = (tags: ReadonlyMap<string, string> | undefined) => carriesClusterTag(tags ?? new Map(), cluster);
    const tagged = new Set<string>();
    const asked = new Set([...groups.map(({ pool }) => pool.id), ...names]);
    for (const { pool, loadBalancerArns } of groups) {
      if ([pool.id, ...loadBalancerArns].some((arn) => isTagged(byArn.get(arn)))) tagged.add(pool.id);
    }
    for (const name of names) if (isTagged(byName.get(name))) tagged.add(name);
    return ({ id }) => (asked.has(id) ? tagged.has(id) : undefined);
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
    const holdNodes = groups.filter(({ TargetType }) => TargetType === "instance" || TargetType === "ip");
    retainOnly(
      this.groups,
      holdNodes.map((group) => this.#knownGroup(group)),
    );
    retainOnly(
      this.classics,
      classics.map((classic) => this.#knownClassic(classic, at)),
    );
    this.listedAt = at;
    this.#onListed();
  }

  #knownGroup(group: TargetGroup): KnownGroup {
    const pool = poolOfGroup(group);
    const loadBalancerArns = group.LoadBalancerArns ?? [];
    const known = this.groups.get(pool.id);
    if (known !== undefined) {
      // One object a pool, for as long as it is the same: registrations share it.
      if (known.pool.kind !== pool.kind || known.pool.loadBalancer !== pool.loadBalancer) known.pool = pool;
      known.loadBalancerArns = loadBalancerArns;
      return known;
    }
    return {
      pool,
      network: group.VpcId ?? "",
      targetType: group.TargetType === "ip" ? "ip" : "instance",
      loadBalancerArns,
      readAt: Number.NEGATIVE_INFINITY,
      readNumber: 0,
      registrations: [],
      isWhole: false,
      isGuarded: false,
      endedBy: new Map(),
    };
  }

  #knownClassic(
    { LoadBalancerName = "", VPCId = "", Instances = [] }: LoadBalancerDescription,
    at: number,
  ): KnownClassic {
    const known = this.classics.get(LoadBalancerName) ?? {
      pool: poolOfClassic(LoadBalancerName),
      network: VPCId,
      watchedSince: at,
      instances: new Set(),
      listedAt: new Map(),
    };
    for (const [id, last] of known.listedAt) if (at - last > CLASSIC_DRAINS_MAX_MS) known.listedAt.delete(id);
    known.instances = new Set(Instances.map(({ InstanceId = "" }) => InstanceId));
    for (const id of known.instances) known.listedAt.set(id, at);
    return known;
  }
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

  /** By the addresses that the node is known to have. */
  ofAddresses(node: Node): readonly Registration[] {
    const byId = this.#ordered();
    const { addresses, addressPrefixes } = node;
    // IPv4 addresses are written in one way only; of all others each must be looked at.
    if (addressPrefixes.length === 0 && !addresses.some(isIPv6)) return addresses.flatMap((one) => byId.get(one) ?? []);
    const isOwn = addressMatcher(node);
    const isAddress = (id: string) => id.includes(".") || id.includes(":");
    return [...byId].flatMap(([id, registrations]) => (isAddress(id) && isOwn(id) ? registrations : []));
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
