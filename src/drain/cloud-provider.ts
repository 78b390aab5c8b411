import { isIP } from "node:net";
import type { DrainError } from "./errors.ts";
import { LOAD_BALANCER_KINDS, type LoadBalancerKind } from "./load-balancer-kinds.ts";
import type { NodeReference } from "./request.ts";
import type { Urgent } from "./urgency.ts";

/** A machine as the cloud knows it. */
export interface Node {
  /** The instance id. Drains of the same node have it in common. */
  readonly id: string;
  /** The private DNS name, which is the Kubernetes node name by default. */
  readonly name: string;
  /** The network (VPC) of the machine itself. */
  readonly network: string;
  /** Every private address of every interface in that network. */
  readonly addresses: readonly string[];
  /** Address blocks delegated to its interfaces in that network (CIDR): pods get addresses from them. */
  readonly addressPrefixes: readonly string[];
  /** The ids of all its interfaces, in every network. Absent: not known. */
  readonly interfaces?: readonly string[];
  /** The other networks that it has interfaces in. Absent: none. */
  readonly otherNetworks?: readonly NodeNetwork[];
  /** Addresses of the pods that the cluster has on it. Absent: not known. */
  readonly podAddresses?: readonly string[];
  /** The cluster that its tags name, if any. */
  readonly cluster?: string;
  /** The name of the node's account and region, if several are configured. Absent: only one is configured. */
  readonly place?: string;
  /** The machine does not run: it is stopped, or is shutting down. */
  readonly isOff?: true;
  /** When the cloud reported this, in milliseconds since the epoch. Absent: a moment ago. */
  readonly asOf?: number;
  /** Some of its addresses could not be read in time. A search reads them again, and fails if they can't be read. */
  readonly isPartial?: true;
  /** What could not be read of it, in a sentence for people. A search may miss registrations. */
  readonly warning?: string;
}

/** The addresses of a node in one network. The same address may belong to another machine in another network. */
export interface NodeNetwork {
  readonly network: string;
  readonly addresses: readonly string[];
  /** In CIDR notation. */
  readonly addressPrefixes: readonly string[];
}

/** What one deregister call addresses, such as a target group. */
export interface Pool {
  /** The kind of load balancer, as a label for people. The pool's terms say how long a node is held. */
  readonly kind: LoadBalancerKind;
  /** Unique over all pools, as the cloud names it. */
  readonly id: string;
  readonly name: string;
  /** As with nodes: the account and region to which every call about the pool goes. */
  readonly place?: string;
  /** The name of the load balancer. Several names if several load balancers use the pool. Absent: none does. */
  readonly loadBalancer?: string;
}

/** A pool as one kind of load balancer uses it: another kind that begins to use it brings other terms. */
export function useOf({ kind, id }: Pool): string {
  return `${kind}|${id}`;
}

/** How a pool releases deregistered targets. Reading this takes a call. */
export interface PoolTerms {
  /** The deregistration delay: how long requests in flight may take, in milliseconds. 0: they are cut. */
  readonly drainMs: number;
  /** How long it may send traffic after the acknowledgement, in milliseconds. With `endsWhenAbsentMs`: at most. */
  readonly holdMs: number;
  /**
   * The hold of a target that is not listed any more, so that `drainMs` is over since an unknown time, in milliseconds from when
   * it was found. All of `holdMs` if traffic ends some time after `drainMs` has.
   */
  readonly holdAfterDelayMs: number;
  /** How long new requests or connections may still arrive, in milliseconds, counted as `holdMs`. */
  readonly newTrafficMs: number;
  /**
   * The cloud reports the end of the traffic: a registration is released when it is `absent`, this many milliseconds after
   * its deregistration at the earliest, and never while it is `draining`. Absent: the hold is a timer, which the cloud's
   * list does not shorten.
   */
  readonly endsWhenAbsentMs?: number;
  /**
   * Each request of the pool has an open TCP connection to the registered port on the node. The hold may end when the node
   * has none, `newTrafficMs` after the deregistration at the earliest. Absent: nothing on the node shows the end.
   */
  readonly endsWhenIdle?: true;
  /** The pool sends no traffic because no load balancer uses it. The drain only confirms the deregistration. */
  readonly isUnused?: true;
  /** The order of pools that wait for their calls, lowest first: these continue to send traffic for longest. */
  readonly callRank: number;
  /** An address can be registered again only after `drainMs`. */
  readonly locksAddresses?: true;
  /** Traffic that is lost even if the drain succeeds, because the cloud offers no way to save it. */
  readonly unsaved: readonly UnsavedTraffic[];
  /** Answers of the cloud that could not be used, and the values that are used instead, in sentences for people. */
  readonly warnings?: readonly string[];
  /** `false`: the provider may not deregister anything here, as far as it knows. Drains try it all the same. */
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
 * - `live`: registered. It gets traffic or may get traffic (unhealthy targets do if no target is healthy).
 * - `initial`: registered a moment ago.
 * - `draining`: being deregistered.
 * - `absent`: not registered.
 * - `unlisted`: not registered. The cloud does not say whether requests in flight have ended.
 */
export type RegistrationState = "live" | "initial" | "draining" | "absent" | "unlisted";

/** One instance, or address, in one pool on one port. */
export interface Registration {
  readonly pool: Pool;
  /** Unique in its pool, and readable: `i-0123456789abcdef0:30080`. */
  readonly target: string;
  readonly state: RegistrationState;
  /** The state in the cloud's own words: `unhealthy (Target.Timeout)`. */
  readonly detail: string;
  /** When a read listed it as live last, where it is draining, in milliseconds since the epoch. Absent: not known. */
  readonly liveAt?: number;
  /** Whether the pool sends traffic to it now, according to the cloud. */
  readonly isHealthy: boolean;
  /** It may get traffic: the cloud does not say. The guard counts it when it leaves, and not when it stays. */
  readonly mayBeHealthy?: true;
  /** The target as the cloud lists it, if its name is not complete. Calls need it to find and to register the target. */
  readonly listed?: object;
  /** If one name stands for several targets: the others, as the cloud lists them. */
  readonly alsoListed?: readonly object[];
  /** Why it may be another machine's, in a sentence for people. It is never deregistered then. Absent: it is the node's. */
  readonly doubt?: string;
}

/** Unique over all pools. */
export function keyOf({ pool, target }: Registration): string {
  return `${pool.id}|${target}`;
}

/** The address of a target that is registered by address. Undefined: it is registered by instance id. */
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

/** The same of pools. */
export function poolsInOrder<T extends { readonly pool: Pool }>(list: readonly T[]): readonly T[] {
  return LOAD_BALANCER_KINDS.flatMap((kind) => list.filter(({ pool }) => pool.kind === kind));
}

export interface FoundRegistrations {
  /** The registrations that have to be deregistered. */
  readonly registrations: readonly Registration[];
  /**
   * Reported only: the node's registrations in pools that the configured discovery excludes, and those that may belong to
   * another machine (`doubt`).
   */
  readonly elsewhere: readonly Registration[];
  /** What the search could not read, in a sentence for people. */
  readonly warning?: string;
}

/** `at`: when it was first missing, in milliseconds since the epoch. */
export type Vanished = { readonly registration: Registration; readonly at: number };
export type Remembered = FoundRegistrations & { readonly asOf: number; readonly knownSince: number };

/** What was known of a node at `asOf`, in milliseconds since the epoch. */
export interface LastKnown extends FoundRegistrations {
  readonly node: Node;
  readonly asOf: number;
}

/** The registrations that a pool had when it was read. */
export interface Observed {
  /** When the read was sent, in milliseconds since the epoch. The answer may be a few seconds older. */
  readonly at: number;
  /** By target. */
  readonly states: ReadonlyMap<string, RegistrationState>;
}

/**
 * The number of healthy targets below which the cloud itself changes its routing. The higher one of the two applies.
 */
export interface HealthyMinimum {
  readonly count: number;
  /** Percentage of the targets that are registered and not draining, 0 to 100. */
  readonly percent: number;
}

/** The health of a pool's targets. */
export interface PoolHealth {
  /** When the read was sent, in milliseconds since the epoch. */
  readonly at: number;
  /** All registered targets. The same list object as long as nothing has changed. */
  readonly targets: readonly Pick<Registration, "target" | "isHealthy" | "mayBeHealthy" | "state">[];
  /** Absent: the cloud has no minimum. */
  readonly minimum?: HealthyMinimum;
  /**
   * The zone of a target. Undefined if it is unknown. Present only if each zone of the load balancer sends traffic to its
   * own targets only. The same function as long as `targets` is the same list.
   */
  readonly zoneOf?: (target: string) => string | undefined;
  /** The number of machines of the targets, by their names. For targets by address, the number of addresses. */
  readonly countNodes: () => number;
}

/**
 * What failing health checks do for a drain when a load balancer opens connections for longer than the notice, but
 * stops sooner for an unhealthy target. The taint of `Cluster.taint` fails the health checks that kube-proxy answers.
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
    /** When it was deregistered or will be, in milliseconds since the epoch. */
    readonly since: number;
  }[];
  /** The node's registrations that the drain does not deregister. The terms of their pools are not known. */
  readonly elsewhere: readonly Registration[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From now until the machine goes, in milliseconds. Absent: the shortest notice that the cloud gives is assumed. */
  readonly noticeMs?: number;
}

/** The name of the cloud, and sentences for people. `pools`: their names. */
export interface CloudWords {
  readonly cloud: string;
  /** How long the last deregistration waits for its call: `12 s`. */
  readonly quotaDelays: (wait: string) => string;
  /** The node is registered in pools that the configured discovery leaves out. */
  readonly leftOut: (pools: string) => string;
  /** The terms of these pools are not `writable`. */
  readonly notWritable: (pools: string) => string;
}

/** The caller that a call is made for. */
export interface CallFor extends Urgent {
  readonly signal: AbortSignal;
  /** Called with the reason when a failed attempt is going to be repeated. */
  readonly repeats?: (error: DrainError) => void;
  /** Called with the targets that the cloud does not know, and for which it has refused a call. */
  readonly refuses?: (targets: readonly string[], why?: DrainError) => void;
  /** Before another attempt: which of the given targets are still included. Absent: all. */
  readonly stillIncluded?: () => ReadonlySet<string>;
  /** The ids of the drains that are waiting for the answer, for observers. Absent: no drain waits. */
  readonly drains?: () => Iterable<string>;
}

/**
 * What the core needs from a cloud. Implementations: AWS, and a fake in the tests. Every method throws `DrainError`. The
 * implementation retries temporary failures, so that what it throws is final. It keeps to the cloud's request quota, makes
 * the most urgent calls first, and answers callers of the same question from one call. Every method is safe to repeat.
 */
export interface CloudProvider {
  /** The only live node of that name. Throws `node-not-found`, `instance-gone`, `ambiguous-node` or `other-cluster`. */
  resolve(reference: NodeReference, by: CallFor): Promise<Node>;

  /** The live node with this id, if it was described a short while ago. Makes no call. */
  recall(id: string): Node | undefined;

  /**
   * Every registration of the node in every pool, each once and as soon as it is known. Remembered ones come first. The
   * iteration ends when every pool has been read since the call. A pool that vanishes during the search is skipped, and is
   * not an error.
   */
  findRegistrations(node: Node, by: CallFor): AsyncIterable<FoundRegistrations>;

  /**
   * The remembered registrations of the node, from when on they may have changed (`asOf`), and since when each pool has been
   * remembered (`knownSince`), in milliseconds since the epoch. Undefined if some pool is not: only a search is complete then.
   */
  remembered(node: Node, by: CallFor): Promise<Remembered | undefined>;

  /**
   * The node that the reference names and its registrations, as they were last read, no matter how long ago. Makes no call.
   * Undefined if that is not known for every pool, or for the node.
   */
  lastKnown(reference: NodeReference): LastKnown | undefined;

  /**
   * Health of the pool's targets, as far as it is known without a call: what a search has just read of a target group.
   * Remembered health is an hour old at most: by older health, a guard would let the last healthy target go.
   */
  knownHealth(pool: Pool): PoolHealth | undefined;

  /** Health of the pool's targets as of `notBefore` (milliseconds since the epoch) or later. Empty if the pool is gone. */
  healthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth>;

  /**
   * As `healthOf`, without reading how the pool works, which takes a call for each pool. Each zone is counted on its own, as
   * if the load balancer did so. The pool's own minimum counts if it is known.
   */
  strictHealthOf(pool: Pool, notBefore: number, by: CallFor): Promise<PoolHealth>;

  /** The same, as far as it is known without a call. */
  knownStrictHealth(pool: Pool): PoolHealth | undefined;

  /**
   * How long the pools that the node could be in may continue to send traffic to targets that they do not list any more, in
   * milliseconds, as far as a search has listed the pools. 0: no pool is listed.
   */
  holdOfUnlistedMs(node: Node): number;

  /** The node's registrations that reads have lacked since `at`, and whose pools may still send traffic to them. */
  vanished(node: Node): readonly Vanished[];

  /** Whether a listed pool near the node may have targets by address. True if none was listed. */
  mayHoldAddresses(node: Node): boolean;

  /** How the pool releases targets. Undefined: the pool has vanished, and has released all of them. */
  describe(pool: Pool, by: CallFor): Promise<PoolTerms | undefined>;

  /** The terms of the pool after its delay, without a call. They apply to a pool that has vanished. */
  termsAfterDelay(pool: Pool): PoolTerms;

  /**
   * What failing health checks would do for a drain. A sentence: why they are not used. Undefined: they are not needed.
   */
  fastPath(input: FastPathInput): PlannedFastPath | string | undefined;

  /** What the core says about the cloud's own matters. */
  readonly words: CloudWords;

  /**
   * Deregisters registrations of one pool: those that `take` returns. `take` is called with the largest number that one call
   * can have, and only when the call can be made, so that all registrations that wait by then are in it. A target that is
   * gone already is not an error, nor is a pool that has vanished. Resolves when the cloud has acknowledged the call. That
   * proves nothing: read it back with `observe`.
   */
  deregister(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void>;

  /**
   * Registers registrations of one pool again, each with exactly the same settings: those that `take` returns, as with
   * `deregister`. A target that is registered already is not an error. Targets that the cloud refuses are passed to
   * `refuses` with the reason, and the others are registered. Throws `not-registered` if the pool has vanished. Resolves
   * when the cloud has acknowledged the call. That proves nothing: read it back with `observe`.
   */
  register(pool: Pool, take: (max: number) => readonly Registration[], by: CallFor): Promise<void>;

  /**
   * The obstacles to registering targets again for the node, in words: the pool has vanished or is in another network, or
   * the target belongs to another machine now. Targets that are missing here may be registered.
   */
  obstacles(
    node: Node,
    registrations: readonly Registration[],
    by: CallFor,
  ): Promise<ReadonlyMap<Registration, string>>;

  /**
   * How long it takes from now until each of these pools can be called with `deregister`, one after the other, in
   * milliseconds, if nothing is more urgent.
   */
  msToDeregister(pools: readonly Pool[]): readonly number[];

  /**
   * The state of registrations of one pool: those that `which` returns. It is called once, and not before the call can
   * be made. In a pool that has vanished all are `absent`.
   */
  observe(pool: Pool, which: () => readonly Registration[], by: CallFor): Promise<Observed>;

  /**
   * The registrations that are still the node's. Addresses move, and one that another machine has now must stay registered.
   */
  stillOwned(node: Node, registrations: readonly Registration[], by: CallFor): Promise<readonly Registration[]>;

  /** The ids of the nodes that the cloud reports as terminated. Nothing can send them traffic any more. */
  findTerminated(nodes: readonly Pick<Node, "id" | "place">[], by: CallFor): Promise<ReadonlySet<string>>;

  /** The ids of the nodes that the cloud reports as running, or about to run. */
  findRunning(nodes: readonly Pick<Node, "id" | "place">[], by: CallFor): Promise<ReadonlySet<string>>;
}
