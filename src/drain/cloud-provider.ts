import type { NodeReference } from "./request.ts";

/** A machine as the cloud knows it. */
export interface Node {
  /** The instance id: what drains of the same node have in common. */
  readonly id: string;
  /** The private DNS name, which is the Kubernetes node name by default. */
  readonly name: string;
  /** The network (VPC) that its load balancers share with it. */
  readonly network: string;
  /** Every private address of every interface. */
  readonly addresses: readonly string[];
  /** Address blocks delegated to its interfaces (CIDR): pods get addresses from them. */
  readonly addressPrefixes: readonly string[];
  /** The cluster that its tags name, if any. */
  readonly cluster?: string;
}

/**
 * What sends the traffic behind a pool. It decides how long a node is held (`hold.ts`).
 * `unattached`: a target group that no load balancer uses.
 */
export type LoadBalancerKind = "alb" | "nlb" | "gwlb" | "classic" | "unattached";

/** What one deregister call addresses: a target group or a classic load balancer. */
export interface Pool {
  readonly kind: LoadBalancerKind;
  /** Unique: an ARN, or a classic load balancer's name. */
  readonly id: string;
  readonly name: string;
  /** The load balancer's name; absent when unattached. */
  readonly loadBalancer?: string;
  /** How long requests in flight are given after deregistering, in milliseconds. 0: they are cut. */
  readonly drainMs: number;
  /** NLB: established flows are closed when `drainMs` has passed, instead of going on. */
  readonly terminatesConnections: boolean;
  /** `false` where the provider knows that it may not deregister anything here. It is tried all the same. */
  readonly writable?: false;
}

/**
 * - `live`: registered; traffic goes to it or may (unhealthy targets get traffic when none is healthy).
 * - `initial`: registered a moment ago.
 * - `draining`: being deregistered.
 * - `absent`: not registered.
 */
export type RegistrationState = "live" | "initial" | "draining" | "absent";

/** One instance, or address, in one pool on one port. */
export interface Registration {
  /** Unique over all pools. */
  readonly key: string;
  readonly pool: Pool;
  /** For people: `i-0123456789abcdef0:30080`. */
  readonly target: string;
  readonly state: RegistrationState;
  /** The cloud's own words for the state: `unhealthy (Target.Timeout)`. */
  readonly detail: string;
  /** The target as the cloud listed it. Only the provider looks inside; it goes back untouched. */
  readonly listed: unknown;
}

export interface FoundRegistrations {
  /** Those to be ended. */
  readonly registrations: readonly Registration[];
  /** The node's registrations in pools that the configured discovery leaves out: reported, not touched. */
  readonly elsewhere: readonly Registration[];
}

/**
 * What the core needs from a cloud. Implementations: AWS, and a fake in the tests.
 *
 * Every method throws `DrainError`. Retrying a call that failed in passing is the implementation's task; what it
 * throws is meant. Every method is safe to repeat.
 */
export interface CloudProvider {
  /**
   * The one live node that the reference names. Throws `node-not-found`, `instance-gone`, `ambiguous-node`
   * or `other-cluster`.
   */
  resolve(reference: NodeReference, signal: AbortSignal): Promise<Node>;

  /** Every registration of the node, wherever it is. A pool that vanishes meanwhile is left out, not an error. */
  findRegistrations(node: Node, signal: AbortSignal): Promise<FoundRegistrations>;

  /**
   * Asks for these registrations of one pool to end. One already gone is not an error, nor is a vanished pool.
   * Resolves when the cloud has accepted, which proves nothing: read back with `observe`.
   */
  deregister(pool: Pool, registrations: readonly Registration[], signal: AbortSignal): Promise<void>;

  /**
   * The state of each of these registrations now, by key, possibly a few seconds old.
   * In a pool that has vanished all are `absent`.
   */
  observe(
    pool: Pool,
    registrations: readonly Registration[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, RegistrationState>>;

  /**
   * Those of the node's registrations that are still its own. Addresses move: one that another machine has taken
   * over must not be deregistered a second time.
   */
  stillOwned(node: Node, registrations: readonly Registration[], signal: AbortSignal): Promise<readonly Registration[]>;

  /** The ids of those nodes that the cloud says are terminated: nothing can send them traffic any more. */
  findTerminated(nodes: readonly Node[], signal: AbortSignal): Promise<ReadonlySet<string>>;
}
