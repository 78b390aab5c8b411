import type { Pool, Registration } from "../drain/cloud-provider.ts";
import type { AccessProblem } from "../drain/errors.ts";

/**
 * What was read of a cluster before it is judged. A part that could not be read is absent, and named in `unread`: no rule
 * says anything about it.
 */
export interface Facts {
  /** The only cluster that is meant. Absent: all that was found. */
  readonly cluster?: string;
  readonly pools: readonly PoolFacts[];
  /** Instances by id: all in the VPCs of the pools. */
  readonly machines: ReadonlyMap<string, MachineFacts>;
  /** Auto Scaling groups with an instance in one of the pools, or with the cluster's tag. */
  readonly scalingGroups?: readonly ScalingGroupFacts[];
  /** Where the service hears of departures. Absent: not configured, or not read. */
  readonly queue?: QueueFacts;
  /** What runs in Kubernetes. Absent: not configured, or not read. */
  readonly kubernetes?: KubernetesFacts;
  /** The calls that a drain makes and AWS denies. */
  readonly denied: readonly AccessProblem[];
  readonly unread: readonly Unread[];
  readonly settings: DoctorSettings;
}

/** What the configuration says that rules go by. */
interface DoctorSettings {
  /** Whether a queue is configured, read or not. */
  readonly hasQueue: boolean;
  /** The termination hook that the agent on the nodes answers (TERMINATION_HOOK). */
  readonly terminationHook?: string;
}

/** A part that was not looked at. */
export interface Unread {
  /** What it is: `the attributes of web`. */
  readonly what: string;
  /** Why, and what to do. */
  readonly why: string;
}

/** What a pool has to do with the program: where it is, and whose. */
export interface PoolPlace {
  readonly pool: Pool;
  /** Its VPC. */
  readonly network: string;
  readonly targetType: "instance" | "ip" | "unknown";
  /** Absent: the one that the AWS SDK finds. */
  readonly region?: string;
  /** Tags of the pool itself. Absent: not read. */
  readonly tags?: ReadonlyMap<string, string>;
}

export interface PoolFacts extends PoolPlace {
  /** Attributes by the names that AWS gives them: `ConnectionDraining.Enabled` of a classic load balancer. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly terms: PoolTermsFacts;
  /** Its health checks ask kube-proxy, and fail so many milliseconds after that says that its node goes. */
  readonly kubeProxyCheckMs?: number;
  /** Absent of a classic load balancer. */
  readonly check?: HealthCheck;
  /** Each zone of the load balancer sends to the targets of its own zone alone. */
  readonly isZonal: boolean;
  readonly targets: readonly TargetFacts[];
}

/** How a pool releases a target, in milliseconds. */
interface PoolTermsFacts {
  /** How long requests in flight are given. 0: they are cut. */
  readonly drainMs: number;
  /** How long a node is held for it. */
  readonly holdMs: number;
  /** NLB: connections of a target that becomes unhealthy are kept for so long. Absent: they are closed. */
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
  /** The longest that it waits, however many heartbeats come, in milliseconds. */
  readonly globalMs: number;
  /** The queue, topic or function that Auto Scaling tells. Absent: none, so that EventBridge alone is told. */
  readonly notificationTarget?: string;
}

export interface QueueFacts {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  readonly region?: string;
  /** Absent: the queue has none. */
  readonly deadLetterQueue?: string;
  /** Which services, accounts and roles its policy lets send, in the policy's own words: `events.amazonaws.com`. */
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
  /** The flags that it runs with: `node-deletion-delay-timeout` to `2m`. */
  readonly flags: ReadonlyMap<string, string>;
  /** Where they stand in the pod's template. */
  readonly containerIndex: number;
  readonly list: "command" | "args";
  /** By flag: its place in that list. A value that stands behind its flag as a word of its own is not listed. */
  readonly argumentIndex: ReadonlyMap<string, number>;
}

export interface NodePoolFacts {
  readonly name: string;
  /** As it stands there: `5m`. Absent: none. */
  readonly terminationGracePeriod?: string;
}

export interface LocalServiceFacts {
  readonly namespace: string;
  readonly name: string;
  /** Endpoints that are ready. */
  readonly readyEndpoints: number;
  /** Nodes that they are on. */
  readonly nodes: number;
}
