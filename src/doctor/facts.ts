import type { Pool, Registration } from "../drain/cloud-provider.ts";
import type { AccessProblem } from "../drain/errors.ts";

/**
 * What was read of a cluster. A part that could not be read is absent, and named in `unread`: no rule says anything
 * about it.
 */
export interface Facts {
  /** The only cluster to audit. Absent: everything that was found. */
  readonly cluster?: string;
  readonly pools: readonly PoolFacts[];
  /** Instances by id: all in the VPCs of the pools. */
  readonly machines: ReadonlyMap<string, MachineFacts>;
  /** Auto Scaling groups with an instance in one of the pools, or with the cluster's tag. */
  readonly scalingGroups?: readonly ScalingGroupFacts[];
  /** The queue that receives departures. Absent: not configured, or not read. */
  readonly queue?: QueueFacts;
  /** What runs in Kubernetes. Absent: not configured, or not read. */
  readonly kubernetes?: KubernetesFacts;
  /** The calls that a drain makes and AWS denies. */
  readonly denied: readonly AccessProblem[];
  readonly unread: readonly Unread[];
  readonly settings: DoctorSettings;
}

/** The part of the configuration that rules use. */
interface DoctorSettings {
  /** Whether a queue is configured, even if it was not read. */
  readonly hasQueue: boolean;
  /** The termination hook that the agent on the nodes answers (TERMINATION_HOOK). */
  readonly terminationHook?: string;
}

/** A part that was not read. */
export interface Unread {
  /** What it is: `the attributes of web`. */
  readonly what: string;
  /** Why, and what to do. */
  readonly why: string;
}

/** The place of a pool, and its owner. */
export interface PoolPlace {
  readonly pool: Pool;
  /** Its VPC. */
  readonly network: string;
  readonly targetType: "instance" | "ip" | "unknown";
  /** Absent: the region that the AWS SDK finds. */
  readonly region?: string;
  /** Tags of the pool itself. Absent: not read. */
  readonly tags?: ReadonlyMap<string, string>;
}

export interface PoolFacts extends PoolPlace {
  /** Attributes by AWS's names: `ConnectionDraining.Enabled` of a classic load balancer. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly terms: PoolTermsFacts;
  /**
   * kube-proxy answers its health checks. They fail this many milliseconds after kube-proxy reports that its node goes.
   */
  readonly kubeProxyCheckMs?: number;
  /** Absent for a classic load balancer. */
  readonly check?: HealthCheck;
  /** Each zone of the load balancer sends traffic only to the targets of its own zone. */
  readonly isZonal: boolean;
  readonly targets: readonly TargetFacts[];
}

/** How a pool releases a target, in milliseconds. */
interface PoolTermsFacts {
  /** How long requests in flight may take. 0: they are cut. */
  readonly drainMs: number;
  /** How long a node is held for it. */
  readonly holdMs: number;
  /** NLB: for how long connections of a target that becomes unhealthy are kept. Absent: they are closed. */
  readonly keepsUnhealthyMs?: number;
}

interface HealthCheck {
  readonly protocol: string;
  readonly port: string;
  readonly path: string;
  readonly intervalSeconds: number;
  readonly unhealthyThreshold: number;
}

export interface TargetFacts extends Pick<Registration, "target" | "state" | "isHealthy"> {
  /** Absent: no instance in the VPC of the pool has this id or address. */
  readonly instanceId?: string;
  readonly zone?: string;
}

export interface MachineFacts {
  readonly id: string;
  readonly zone: string;
  readonly isSpot: boolean;
  /** The clusters that its tags name. */
  readonly clusters: readonly string[];
}

export interface ScalingGroupFacts {
  readonly name: string;
  readonly region?: string;
  readonly place?: string;
  readonly instanceIds: readonly string[];
  /** Its terminating hooks. */
  readonly hooks: readonly HookFacts[];
}

export interface HookFacts {
  readonly name: string;
  /** From the last heartbeat until the hook ends, in milliseconds. */
  readonly heartbeatMs: number;
  /** The longest wait, whatever the number of heartbeats, in milliseconds. */
  readonly globalMs: number;
  /** The queue, topic or function that Auto Scaling notifies. Absent: none, so that only EventBridge is notified. */
  readonly notificationTarget?: string;
}

export interface QueueFacts {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  readonly region?: string;
  /** Absent: the queue has none. */
  readonly deadLetterQueue?: string;
  /**
   * The services, accounts and roles that its policy allows to send, in the words of the policy:
   * `events.amazonaws.com`.
   */
  readonly senders: readonly string[];
  /** The statements of its policy. */
  readonly statements: readonly object[];
}

export interface KubernetesFacts {
  /** Deployments that run cluster-autoscaler. */
  readonly autoscalers: readonly AutoscalerFacts[];
  readonly nodePools: readonly NodePoolFacts[];
  /** Namespaces with pods that target groups register by address. */
  readonly podTargetNamespaces: readonly { readonly name: string; readonly injectsGates: boolean }[];
  /** Services of type LoadBalancer with externalTrafficPolicy Local. */
  readonly localServices: readonly LocalServiceFacts[];
}

export interface AutoscalerFacts {
  readonly namespace: string;
  readonly name: string;
  /** The flags of its command line: `node-deletion-delay-timeout` to `2m`. */
  readonly flags: ReadonlyMap<string, string>;
  /** The index of the container in the pod's template. */
  readonly containerIndex: number;
  readonly list: "command" | "args";
  /** By flag: its index in that list. A value that is a separate word after its flag is not listed. */
  readonly argumentIndex: ReadonlyMap<string, number>;
}

export interface NodePoolFacts {
  readonly name: string;
  /** As written there: `5m`. Absent: none. */
  readonly terminationGracePeriod?: string;
}

export interface LocalServiceFacts {
  readonly namespace: string;
  readonly name: string;
  /** Endpoints that are ready. */
  readonly readyEndpoints: number;
  /** The number of nodes that they are on. */
  readonly nodes: number;
}
