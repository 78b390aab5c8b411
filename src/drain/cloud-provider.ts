import { isIP } from "node:net";
import type { DrainError } from "./errors.ts";
import type { NodeReference } from "./request.ts";
import type { Urgent } from "./urgency.ts";

/** A machine as the cloud knows it. */
export interface Node {
  /** The instance id: what drains of the same node have in common. */
  readonly id: string;
  /** The private DNS name, which is the Kubernetes node name by default. */
  readonly name: string;
  /** The network (VPC) of the machine itself. */
  readonly network: string;
  /** Every private address of every interface in that network. */
  readonly addresses: readonly string[];
  /** Address blocks delegated to its interfaces in that network (CIDR): pods get addresses from them. */
  readonly addressPrefixes: readonly string[];
  /** The ids of all its interfaces, in whichever network. Absent: not known. */
  readonly interfaces?: readonly string[];
  /** The other networks that it has interfaces in. Absent: none. */
  readonly otherNetworks?: readonly NodeNetwork[];
  /** Addresses of its pods, which the cluster says are on it. Absent: not known. */
  readonly podAddresses?: readonly string[];
  /** The cluster that its tags name, if any. */
  readonly cluster?: string;
  /** Account and region, where several are configured: the name of one of them. Absent: there is one. */
  readonly place?: string;
  /** It does not run: it is stopped, or shuts down. */
  readonly isOff?: true;
  /** When the cloud said so, in milliseconds since the epoch, where that is a while ago: addresses may have moved. */
  readonly asOf?: number;
  /** Not all of its addresses could be read in time. A search reads them again, and fails where they can't be read. */
  readonly isPartial?: true;
  /** What could not be learned of it, in a sentence for people: a search may miss registrations. */
  readonly warning?: string;
}

/** What a node has for addresses in one network. The same address may be another machine's in another network. */
export interface NodeNetwork {
  readonly network: string;
  readonly addresses: readonly string[];
  /** In CIDR notation. */
  readonly addressPrefixes: readonly string[];
}

/**
 * What sends the traffic behind a pool. It decides how long a node is held (`hold.ts`).
 * `unattached`: a target group that no load balancer uses. `unknown`: a kind that this program does not know, or load
 * balancers of several kinds. The longest rule holds for it.
 */
export type LoadBalancerKind = "alb" | "nlb" | "gwlb" | "classic" | "unknown" | "unattached";

/** What one deregister call addresses: a target group or a classic load balancer. */
export interface Pool {
  readonly kind: LoadBalancerKind;
  /** Unique: an ARN, or a classic load balancer's name, which has its place before it where there are several. */
  readonly id: string;
  readonly name: string;
  /** As a node's: the account and region that every call about it goes to. */
  readonly place?: string;
  /** The load balancer's name; absent when unattached. Several names where several load balancers use it. */
  readonly loadBalancer?: string;
  /** It drains for at least so long, whatever its settings say, in milliseconds. */
  readonly drainMinimumMs?: number;
  /**
   * Its health checks ask the node's kube-proxy, and a target is unhealthy so many milliseconds after that answers that the
   * node goes. Absent: they ask something else.
   */
  readonly kubeProxyCheckMs?: number;
}

/** How a pool releases deregistered targets. Reading it takes a call of its own. */
export interface PoolTerms {
  /** How long requests in flight are given after deregistering, in milliseconds. 0: they are cut. */
  readonly drainMs: number;
  /** NLB: established flows are closed when `drainMs` has passed, instead of going on. */
  readonly terminatesConnections: boolean;
  /** NLB: established flows of a target that becomes unhealthy are kept for so long, in milliseconds. Absent: they are closed. */
  readonly keepsUnhealthyMs?: number;
  /** GWLB: existing flows stay on a deregistered target until they were idle for so long, in milliseconds. Absent: not known. */
  readonly flowsIdleMs?: number;
  /** GWLB: `flowsIdleMs` is not known of all its listeners. The configured one counts too. */
  readonly othersMayIdleLonger?: true;
  /** GWLB: existing flows move to another target when `drainMs` has passed. */
  readonly movesFlows?: true;
  /** GWLB: TCP flows are reset when `drainMs` has passed. */
  readonly resetsFlows?: true;
  /** What the cloud answered that could not be used, and the value that is used instead. Sentences for people. */
  readonly warnings?: readonly string[];
  /** `false` where the provider knows that it may not deregister anything here. It is tried all the same. */
  readonly writable?: false;
}

/**
 * - `live`: registered; traffic goes to it or may (unhealthy targets get traffic when none is healthy).
 * - `initial`: registered a moment ago.
 * - `draining`: being deregistered.
 * - `absent`: not registered.
 * - `unlisted`: not registered. The cloud does not say whether requests in flight have ended.
 */
export type RegistrationState = "live" | "initial" | "draining" | "absent" | "unlisted";

/** One instance, or address, in one pool on one port. */
export interface Registration {
  readonly pool: Pool;
  /** Unique in its pool, and for people: `i-0123456789abcdef0:30080`. */
  readonly target: string;
  readonly state: RegistrationState;
  /** The cloud's own words for the state: `unhealthy (Target.Timeout)`. */
  readonly detail: string;
  /** Whether the pool sends it traffic now, as far as the cloud has said. */
  readonly isHealthy: boolean;
  /** Not `isHealthy`, because the cloud does not say whether it gets traffic. It counts when it leaves, and not when it stays. */
  readonly mayBeHealthy?: true;
  /** The target as the cloud lists it, where its name does not say it all: with it a call finds it, and makes it again. */
  readonly listed?: object;
  /** Where one name stands for several targets: the others, as the cloud lists them. */
  readonly alsoListed?: readonly object[];
  /** Why it may be another machine's, in a sentence for people. It is never deregistered then. Absent: it is the node's. */
  readonly doubt?: string;
}

/** Unique over all pools. */
export function keyOf({ pool, target }: Registration): string {
  return `${pool.id}|${target}`;
}

/** The address of a target that is registered by it; undefined when it is registered by its instance id. */
export function addressOf({ pool, target }: Registration): string | undefined {
  if (pool.kind === "classic") return undefined;
  const id = idOf(target);
  return isIP(id) === 0 ? undefined : id;
}

/** The instance id or address in a registration's name. */
export function idOf(target: string): string {
  const isBracketed = target.startsWith("[");
  const end = target.search(isBracketed ? /\]/ : /[: ]/);
  return end === -1 ? target : target.slice(isBracketed ? 1 : 0, end);
}

const SHOWN_ORDER: readonly LoadBalancerKind[] = ["alb", "nlb", "gwlb", "classic", "unknown", "unattached"];

/** For people: kind by kind, whatever was found first. */
export function inOrder<T extends { readonly registration: Registration }>(list: readonly T[]): readonly T[] {
  return SHOWN_ORDER.flatMap((kind) => list.filter(({ registration }) => registration.pool.kind === kind));
}

/** The same of pools. */
export function poolsInOrder<T extends { readonly pool: Pool }>(list: readonly T[]): readonly T[] {
  return SHOWN_ORDER.flatMap((kind) => list.filter(({ pool }) => pool.kind === kind));
}

export interface FoundRegistrations {
  /** Those to be ended. */
  readonly registrations: readonly Registration[];
  /**
   * Reported, not touched: the node's registrations in pools that the configured discovery leaves out, and those that may
   * be another machine's (`doubt`).
   */
  readonly elsewhere: readonly Registration[];
  /** What the search could not look for, in a sentence for people. */
  readonly warning?: string;
}

/** What was known of a node at `asOf`, in milliseconds since the epoch. */
export interface LastKnown extends FoundRegistrations {
  readonly node: Node;
  readonly asOf: number;
}

/** What a pool was seen to hold. */
export interface Observed {
  /** When the cloud was asked, in milliseconds since the epoch. What it answers may be a few seconds older. */
  readonly at: number;
  /** By target. */
  readonly states: ReadonlyMap<string, RegistrationState>;
}

/** The number of healthy targets below which the cloud itself routes otherwise. The higher one of the two counts. */
export interface HealthyMinimum {
  readonly count: number;
  /** Of the targets that are registered and not draining, 0 to 100. */
  readonly percent: number;
}

/** The health of a pool's targets. */
export interface PoolHealth {
  /** When the cloud was asked, in milliseconds since the epoch. */
  readonly at: number;
  /** All that are registered. The same list as long as nothing has changed. */
  readonly targets: readonly Pick<Registration, "target" | "isHealthy" | "mayBeHealthy" | "state">[];
  /** Absent: the cloud has none. */
  readonly minimum?: HealthyMinimum;
  /**
   * The zone of a target; undefined if it is unknown. Given only where each zone of the load balancer sends to its
   * own targets alone, and the same function as long as `targets` is the same list.
   */
  readonly zoneOf?: (target: string) => string | undefined;
  /** How many machines the targets are on, as far as their names show: for targets by address, how many addresses. */
  readonly countNodes: () => number;
}

/** For whom a call is made. */
export interface CallFor extends Urgent {
  readonly signal: AbortSignal;
  /** Hears why an attempt failed that is made again. */
  readonly repeats?: (error: DrainError) => void;
  /** Hears of targets that the cloud does not know, so that it has refused a call that named them. */
  readonly refuses?: (targets: readonly string[], why?: DrainError) => void;
  /** Before another attempt: which of the targets that were taken are still meant. Absent: all. */
  readonly stillIncluded?: () => ReadonlySet<string>;
  /** The ids of the drains that wait for the answer now, for those who watch. Absent: none does. */
  readonly drains?: () => Iterable<string>;
}

/**
 * What the core needs from a cloud. Implementations: AWS, and a fake in the tests.
 *
 * Every method throws `DrainError`. What a cloud has failed at in passing the implementation repeats; what it throws
 * is meant. It keeps to the cloud's request quota, the most urgent calls first, and answers those who ask the same
 * from one call. Every method is safe to repeat.
 */
export interface CloudProvider {
  /**
   * The one live node that the reference names. Throws `node-not-found`, `instance-gone`, `ambiguous-node`
   * or `other-cluster`.
   */
  resolve(reference: NodeReference, by: CallFor): Promise<Node>;

  /** The live node with this id, as far as it is remembered from a short while ago, without a call. */
  recall(id: string): Node | undefined;

  /**
   * Every registration of the node, wherever it is, each once and as soon as it is known. What was known before comes
   * first; the end comes when every pool has been asked since the call. A pool that vanishes meanwhile is left out, not
   * an error.
   */
  findRegistrations(node: Node, by: CallFor): AsyncIterable<FoundRegistrations>;

  /**
   * The remembered registrations of the node, and since when it may have changed, in milliseconds since the epoch.
   * Undefined when not every pool is remembered: then only a search is complete.
   */
  remembered(node: Node, by: CallFor): Promise<(FoundRegistrations & { readonly asOf: number }) | undefined>;

  /**
   * The node that the reference names and its registrations, as they were last seen, without a call and however long ago.
   * Undefined where that is not known of every pool, or of the node.
   */
  lastKnown(reference: NodeReference): LastKnown | undefined;

  /**
   * Health of the pool's targets, as far as it is known without a call. Data that a search has just read of a
   * target group is; remembered health may be as old as remembered registrations.
   */
  knownHealth(pool: Pool): PoolHealth | undefined;

  /** Health of the pool's targets, as of `notBefore` (milliseconds since the epoch) or later. A vanished pool has none. */
  healthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth>;

  /**
   * As `healthOf`, without asking how the pool works, which takes a call a pool: each zone is counted alone, as if the
   * load balancer did so, and the pool has no minimum of its own. Where enough remain by this count, they do by any.
   */
  strictHealthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth>;

  /** Of which kinds the pools are that the node could be in, as far as a search has listed them. */
  kindsAround(node: Node): ReadonlySet<LoadBalancerKind>;

  /** Whether a pool around the node may have targets by address, as far as a search has listed them. True where none has. */
  mayHoldAddresses(node: Node): boolean;

  /** How the pool releases. Undefined when it has vanished: then it has. */
  describe(pool: Pool, by: CallFor): Promise<PoolTerms | undefined>;

  /**
   * Asks for registrations of one pool to end: those that `take` gives, of which it is asked for `max` at most, and only
   * once the call can be made, so that they are as many as have gathered by then. One already gone is not an error, nor
   * is a vanished pool. Resolves when the cloud has acknowledged the call, which proves nothing: read back with `observe`.
   */
  deregister(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void>;

  /**
   * Asks for registrations of one pool to be made again, each exactly as it was: those that `take` gives, as with
   * `deregister`. One that is there already is not an error. Those that the cloud refuses are passed to `refuses`,
   * with the reason, and the others are registered. Throws `not-registered` where the pool has vanished. Resolves when
   * the cloud has acknowledged the call, which proves nothing: read back with `observe`.
   */
  register(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void>;

  /**
   * What keeps registrations from being made again on behalf of the node, in words: the pool has vanished or is in another
   * network, or the target is another machine's by now. Those that are missing here may be.
   */
  obstacles(
    node: Node,
    registrations: readonly Registration[],
    by: CallFor,
  ): Promise<ReadonlyMap<Registration, string>>;

  /**
   * How long from now until each of these pools can be called with `deregister`, one after the other, in milliseconds,
   * when nothing is more urgent.
   */
  msToDeregister(pools: readonly Pool[]): readonly number[];

  /**
   * The state of registrations of one pool: of those that `which` gives, asked once, and not before the call can be made.
   * In a pool that has vanished all are `absent`.
   */
  observe(pool: Pool, which: () => readonly Registration[], by: CallFor): Promise<Observed>;

  /**
   * Those of the node's registrations that are still its own. Addresses move: one that another machine has taken
   * over must not be deregistered a second time.
   */
  stillOwned(node: Node, registrations: readonly Registration[], by: CallFor): Promise<readonly Registration[]>;

  /** The ids of those nodes that the cloud says are terminated: nothing can send them traffic any more. */
  findTerminated(nodes: readonly Pick<Node, "id" | "place">[], by: CallFor): Promise<ReadonlySet<string>>;

  /** The ids of those nodes that the cloud says run, or are about to. */
  findRunning(nodes: readonly Pick<Node, "id" | "place">[], by: CallFor): Promise<ReadonlySet<string>>;
}
