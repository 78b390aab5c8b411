import { isIP } from "node:net";
import type { DrainError } from "./errors.ts";
import { LOAD_BALANCER_KINDS, type LoadBalancerKind } from "./load-balancer-kinds.ts";
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

/** What one deregister call addresses, such as a target group. */
export interface Pool {
  /** What sends the traffic: a label for people. How long a node is held the pool's terms say. */
  readonly kind: LoadBalancerKind;
  /** Unique over all pools, as the cloud names it. */
  readonly id: string;
  readonly name: string;
  /** As a node's: the account and region that every call about it goes to. */
  readonly place?: string;
  /** The load balancer's name; absent when unattached. Several names where several load balancers use it. */
  readonly loadBalancer?: string;
}

/**
 * A pool as one kind of load balancer uses it: where another kind has taken it into use since, other terms hold for what is
 * found from then on.
 */
export function useOf({ kind, id }: Pool): string {
  return `${kind}|${id}`;
}

/** How a pool releases deregistered targets. Reading it takes a call of its own. */
export interface PoolTerms {
  /** The pool's own delay: how long requests in flight are given after deregistering, in milliseconds. 0: they are cut. */
  readonly drainMs: number;
  /**
   * How long it may go on sending traffic, counted from when the cloud has acknowledged a deregistration, in milliseconds.
   * At most, where `endsWhenAbsentMs` is given.
   */
  readonly holdMs: number;
  /** How much of that remains once `drainMs` has passed, in milliseconds. It holds for what the cloud no longer lists. */
  readonly holdAfterDelayMs: number;
  /** How long new requests or connections may still come, in milliseconds, counted as `holdMs`. */
  readonly newTrafficMs: number;
  /**
   * The cloud reports the end of the traffic: a registration is released as soon as it is `absent`, so many milliseconds
   * after its deregistration at the earliest, and never while it is `draining`. Absent: the hold is a timer, which nothing
   * that the cloud lists makes shorter.
   */
  readonly endsWhenAbsentMs?: number;
  /**
   * Each of its requests has an open TCP connection to the registered port, on the node. The hold may end once the node has
   * none, `newTrafficMs` after the deregistration at the earliest. Absent: nothing on the node shows the end.
   */
  readonly endsWhenIdle?: true;
  /** It sends no traffic, because no load balancer uses it: only the deregistration is to be confirmed. */
  readonly isUnused?: true;
  /** Of pools that wait for their calls those with a lower rank come first: they continue to send for longest. */
  readonly callRank: number;
  /** An address can be registered again only once `drainMs` has passed. */
  readonly locksAddresses?: true;
  /** Traffic that is lost even if the drain succeeds, because the cloud offers no way to save it. */
  readonly unsaved: readonly UnsavedTraffic[];
  /** What the cloud answered that could not be used, and the value that is used instead. Sentences for people. */
  readonly warnings?: readonly string[];
  /** `false` where the provider knows that it may not deregister anything here. It is tried all the same. */
  readonly writable?: false;
}

export interface UnsavedTraffic {
  readonly code:
    | "requests-in-flight"
    | "long-requests"
    | "long-connections"
    | "terminated-connections"
    | "moved-connections";
  readonly message: string;
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
export function addressOf({ target }: Pick<Registration, "target">): string | undefined {
  const id = idOf(target);
  return isIP(id) === 0 ? undefined : id;
}

/** The instance id or address in a registration's name. */
export function idOf(target: string): string {
  const isBracketed = target.startsWith("[");
  const end = target.search(isBracketed ? /\]/ : /[: ]/);
  return end === -1 ? target : target.slice(isBracketed ? 1 : 0, end);
}

/** For people: kind by kind, whatever was found first. */
export function inOrder<T extends { readonly registration: Registration }>(list: readonly T[]): readonly T[] {
  return LOAD_BALANCER_KINDS.flatMap((kind) => list.filter(({ registration }) => registration.pool.kind === kind));
}

/** The same of pools. */
export function poolsInOrder<T extends { readonly pool: Pool }>(list: readonly T[]): readonly T[] {
  return LOAD_BALANCER_KINDS.flatMap((kind) => list.filter(({ pool }) => pool.kind === kind));
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

/**
 * What failing health checks do for a drain where a load balancer opens connections for longer than the notice, and stops
 * sooner for a target that fails its checks. The taint of `Cluster.taint` makes those fail that ask kube-proxy.
 */
export interface PlannedFastPath {
  /** The names of the pools whose health checks fail. */
  readonly pools: readonly string[];
  /** When the last of them fails, counted from the taint, in milliseconds. */
  readonly failsWithinMs: number;
}

export interface FastPathInput {
  readonly found: readonly {
    readonly registration: Registration;
    readonly terms: PoolTerms;
    /** Since when it is deregistered, or when it will be, in milliseconds since the epoch. */
    readonly since: number;
  }[];
  /** The node's registrations that the drain does not end: nothing is known of their pools' terms. */
  readonly elsewhere: readonly Registration[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From now until the machine goes, in milliseconds. Absent: the shortest notice that the cloud gives is assumed. */
  readonly noticeMs?: number;
}

/** The name of the cloud, and sentences for people. `pools`: their names. */
export interface CloudWords {
  readonly cloud: string;
  /** How long the last deregistration has to wait for its call: `12 s`. */
  readonly quotaDelays: (wait: string) => string;
  /** The node is registered in pools that the configured discovery leaves out. */
  readonly leftOut: (pools: string) => string;
  /** The terms of these pools are not `writable`. */
  readonly notWritable: (pools: string) => string;
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

  /** The same, as far as it is known without a call. */
  knownStrictHealth(pool: Pool): PoolHealth | undefined;

  /**
   * How long the pools that the node could be in may go on sending traffic to what they no longer list, in milliseconds, as
   * far as a search has listed the pools. 0: none is listed.
   */
  holdOfUnlistedMs(node: Node): number;

  /** Whether a pool around the node may have targets by address, as far as a search has listed them. True where none has. */
  mayHoldAddresses(node: Node): boolean;

  /** How the pool releases. Undefined when it has vanished: then it has. */
  describe(pool: Pool, by: CallFor): Promise<PoolTerms | undefined>;

  /** The pool's terms as once its delay has passed, without a call: those of one that has vanished. */
  termsAfterDelay(pool: Pool): PoolTerms;

  /** What failing health checks would do for a drain. A sentence: why that is not used. Undefined: it is not needed. */
  fastPath(input: FastPathInput): PlannedFastPath | string | undefined;

  /** What the core says about the cloud's own matters. */
  readonly words: CloudWords;

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
