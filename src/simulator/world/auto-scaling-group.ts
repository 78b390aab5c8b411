import type { Timing } from "../timing.ts";
import type { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { Instance, Likeness } from "./instance.ts";
import type { LaunchConfiguration } from "./instance-refresh.ts";
import type { LifecycleHook } from "./lifecycle-action.ts";
import { ScaleIn, type WayOut } from "./scale-in.ts";
import { ScalingActivities } from "./scaling-activity.ts";
import type { TargetDescription, TargetGroup } from "./target-group.ts";

export interface AutoScalingGroupInput {
  readonly name: string;
  readonly arn: string;
  readonly zones: readonly string[];
  readonly minSize: number;
  readonly maxSize: number;
  readonly desiredCapacity: number;
  readonly instanceIds: readonly string[];
  /** The group's own target groups. It registers its instances with them, and deregisters its instances from them. */
  readonly targetGroups: readonly TargetGroup[];
  readonly classics: readonly ClassicLoadBalancer[];
  readonly hooks: readonly LifecycleHook[];
  /** Milliseconds from the loss of a member until its replacement is launched. Absent: the group launches nothing. */
  readonly launchMs?: number;
  /**
   * Whether its instance lifecycle policy retains a machine whose termination hook was abandoned. Default: false.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RetentionTriggers.html
   */
  readonly retainsAbandoned?: boolean;
  readonly createdAt: number;
  /** The properties of instances that are launched, except to replace a member. Absent: those of the newest member. */
  readonly blueprint?: Omit<Likeness, "zone">;
}

/** The part of the world that an Auto Scaling group uses. */
export interface ScalingSurroundings {
  readonly timing: Timing;
  instance(id: string): Instance | undefined;
  deregisterTarget(group: TargetGroup, description: TargetDescription): void;
  deregisterClassic(loadBalancer: ClassicLoadBalancer, instanceId: string): void;
  newUuid(): string;
}

export interface Member {
  readonly instance: Instance;
  readonly lifecycleState: string;
}

/** The states of members that are in service, or soon will be. */
export const SERVING: ReadonlySet<string> = new Set(["Pending", "InService"]);

/** An Auto Scaling group: its members, and how they leave it. */
export class AutoScalingGroup {
  readonly name: string;
  readonly arn: string;
  zones: readonly string[];
  minSize: number;
  maxSize: number;
  desiredCapacity: number;
  readonly targetGroups: readonly TargetGroup[];
  readonly classics: readonly ClassicLoadBalancer[];
  /** How long failed health checks of a new member are ignored. */
  healthCheckGraceSeconds = 300;
  defaultWarmupSeconds: number | undefined;
  /** The default cooldown of simple scaling policies, which are not simulated. */
  cooldownSeconds = 300;
  placementGroup: string | undefined;
  /** A text that AWS keeps for a caller, without a meaning. */
  context: string | undefined;
  /** The ARN of the role that a caller has set. Undefined: AWS's own role, which every account has. */
  serviceLinkedRoleArn: string | undefined;
  /** The configuration of instances that it launches. Undefined: they are like its members. */
  configuration: LaunchConfiguration | undefined;
  hooks: readonly LifecycleHook[];
  readonly launchMs: number | undefined;
  readonly createdAt: number;
  retainsAbandoned: boolean;
  readonly tags = new Map<string, string>();
  /** Keys of the group's tags that launched machines do not get. */
  readonly ownTags = new Set<string>();
  /** Members that a caller has reported as unhealthy. */
  readonly unhealthy = new Set<string>();
  readonly activities = new ScalingActivities();
  /** For each member in Standby and each member that is being detached: returns when it has left the group's pools. */
  readonly #standby = new Map<string, () => number>();
  readonly #detaching = new Map<string, () => number>();
  #instanceIds: readonly string[];
  readonly #blueprint: Omit<Likeness, "zone"> | undefined;
  /** By member. A member that is missing here is older than any configuration. */
  readonly #configurations = new Map<string, LaunchConfiguration>();
  readonly #scaleIns = new Map<string, ScaleIn>();
  readonly #surroundings: ScalingSurroundings;

  constructor(input: AutoScalingGroupInput, surroundings: ScalingSurroundings) {
    this.name = input.name;
    this.arn = input.arn;
    this.zones = input.zones;
    this.minSize = input.minSize;
    this.maxSize = input.maxSize;
    this.desiredCapacity = input.desiredCapacity;
    this.targetGroups = input.targetGroups;
    this.classics = input.classics;
    this.hooks = input.hooks;
    this.launchMs = input.launchMs;
    this.createdAt = input.createdAt;
    this.retainsAbandoned = input.retainsAbandoned ?? false;
    this.#instanceIds = input.instanceIds;
    this.#blueprint = input.blueprint;
    this.#surroundings = surroundings;
  }

  /** The members at `now`. A terminated instance is no longer a member, unless a hook still waits for it. */
  members(now: number): readonly Member[] {
    return this.#instanceIds.flatMap((id) => {
      const instance = this.#surroundings.instance(id);
      if (instance === undefined) return [];
      const lifecycleState = this.#lifecycleState(instance, now);
      return lifecycleState === undefined ? [] : [{ instance, lifecycleState }];
    });
  }

  /** How many members are in service, are starting or get a new root volume. */
  capacity(now: number): number {
    const counts = (state: string) => SERVING.has(state) || state.startsWith("ReplacingRootVolume");
    return this.members(now).filter(({ lifecycleState }) => counts(lifecycleState)).length;
  }

  /** Whether the machine was terminated while its root volume was being replaced. */
  isLost({ id, terminatedAt }: Instance): boolean {
    return terminatedAt !== undefined && this.#scaleIns.get(id)?.wayOut === "replace-root-volume";
  }

  has(instanceId: string): boolean {
    return this.#instanceIds.includes(instanceId);
  }

  /** Adds a member: an instance that the group has launched, or that was attached. */
  join(instance: Instance): void {
    this.#instanceIds = [...this.#instanceIds, instance.id];
  }

  /** How long a member must be in service before it counts as warm, unless an instance refresh says otherwise. */
  get warmupSeconds(): number {
    return this.defaultWarmupSeconds ?? this.healthCheckGraceSeconds;
  }

  /** The configuration with which a member was launched, or with which it got its root volume. */
  configurationOf(instanceId: string): LaunchConfiguration | undefined {
    return this.#configurations.get(instanceId);
  }

  configure(instanceId: string, configuration: LaunchConfiguration | undefined): void {
    if (configuration === undefined) this.#configurations.delete(instanceId);
    else this.#configurations.set(instanceId, configuration);
  }

  /**
   * The model of launched instances. Without a `blueprint` it is the newest member, even if that member is gone by now.
   */
  model(now: number): Likeness | undefined {
    if (this.#blueprint === undefined) {
      const known = this.#instanceIds.map((id) => this.#surroundings.instance(id));
      return known.findLast((instance) => instance !== undefined);
    }
    const inZone = (zone: string) => this.members(now).filter(({ instance }) => instance.zone === zone).length;
    const [zone] = this.zones.toSorted((a, b) => inZone(a) - inZone(b));
    return zone === undefined ? undefined : { ...this.#blueprint, zone };
  }

  /** The VPC of its subnets. Undefined as long as it is unknown: the group has had no member and no configuration. */
  get vpcId(): string | undefined {
    if (this.#blueprint !== undefined) return this.#blueprint.vpcId;
    for (const id of this.#instanceIds) {
      const instance = this.#surroundings.instance(id);
      if (instance !== undefined) return instance.vpcId;
    }
    return undefined;
  }

  /**
   * The member to terminate when the group shrinks: the oldest one in the zone with the most members.
   * https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
   */
  leastNeeded(now: number): Instance | undefined {
    const serving = this.members(now).filter(({ lifecycleState }) => SERVING.has(lifecycleState));
    const instances = serving.map(({ instance }) => instance);
    const countIn = (zone: string) => instances.filter((instance) => instance.zone === zone).length;
    return [...instances].sort((a, b) => countIn(b.zone) - countIn(a.zone) || a.launchedAt - b.launchedAt)[0];
  }

  /**
   * Moves a member to Standby and deregisters it from the group's pools. Returns a function that returns when it has
   * left the pools, in milliseconds since the epoch.
   */
  enterStandby(instanceId: string, now: number): () => number {
    const leavesAt = this.#leavePools(instanceId, now);
    this.#standby.set(instanceId, leavesAt);
    return leavesAt;
  }

  exitStandby(instanceId: string): void {
    this.#standby.delete(instanceId);
  }

  /**
   * Begins to detach a member and deregisters it from the group's pools. Returns a function that returns when it has
   * left the pools, in milliseconds since the epoch.
   */
  beginDetaching(instanceId: string, now: number): () => number {
    const leavesAt = this.#leavePools(instanceId, now);
    this.#detaching.set(instanceId, leavesAt);
    return leavesAt;
  }

  /** When each member that is being detached stops being a member. */
  get detachTimes(): readonly number[] {
    return [...this.#detaching.values()].map((leavesAt) => leavesAt());
  }

  /** Removes the members that are being detached and have left the pools by `until`. Returns their ids. */
  finishDetaching(until: number): readonly string[] {
    const gone = [...this.#detaching].flatMap(([id, leavesAt]) => (leavesAt() <= until ? [id] : []));
    for (const id of gone) {
      this.#detaching.delete(id);
      this.#standby.delete(id);
      this.unhealthy.delete(id);
    }
    this.#instanceIds = this.#instanceIds.filter((id) => !gone.includes(id));
    return gone;
  }

  /** Whether the member is in Standby or being detached, so that the group does not keep it in service. */
  isAside(instanceId: string): boolean {
    return this.#standby.has(instanceId) || this.#detaching.has(instanceId);
  }

  /** The scale-in of the instance. Undefined before it begins. */
  scaleInOf(instanceId: string): ScaleIn | undefined {
    return this.#scaleIns.get(instanceId);
  }

  get scaleIns(): readonly ScaleIn[] {
    return [...this.#scaleIns.values()];
  }

  /**
   * Begins to terminate a member, or to replace its root volume. It is deregistered at once from the group's own target
   * groups and load balancers.
   */
  beginScaleIn(instanceId: string, now: number, wayOut?: WayOut): ScaleIn {
    const then = wayOut ?? (this.retainsAbandoned ? "terminate-or-retain" : "terminate");
    const scaleIn = new ScaleIn({
      instanceId,
      then,
      activityId: this.#surroundings.newUuid(),
      startedAt: now,
      leavesAt: this.#leaving(instanceId, now),
      hooks: this.hooks.filter(({ transition }) => transition === "autoscaling:EC2_INSTANCE_TERMINATING"),
      newToken: () => this.#surroundings.newUuid(),
    });
    this.#scaleIns.set(instanceId, scaleIn);
    return scaleIn;
  }

  /** The instance has returned to service, and is an ordinary member again. */
  endScaleIn(instanceId: string): void {
    this.#scaleIns.delete(instanceId);
  }

  #lifecycleState(instance: Instance, now: number): string | undefined {
    const scaleIn = this.#scaleIns.get(instance.id);
    const state = instance.state(now, this.#surroundings.timing);
    if (this.isLost(instance)) return state === "terminated" ? undefined : "Terminating";
    if (scaleIn !== undefined && now < (scaleIn.endsAt ?? Number.POSITIVE_INFINITY)) return scaleIn.lifecycleState(now);
    if (state === "terminated") return undefined;
    if (scaleIn !== undefined) return scaleIn.lifecycleState(now);
    if (this.#detaching.has(instance.id)) return "Detaching";
    const standbyFrom = this.#standby.get(instance.id)?.();
    if (standbyFrom !== undefined) return now < standbyFrom ? "EnteringStandby" : "Standby";
    if (state === "pending") return "Pending";
    return state === "shutting-down" ? "Terminating" : "InService";
  }

  #leavePools(instanceId: string, now: number): () => number {
    const all = this.#leaving(instanceId, now);
    return () => Math.max(now, ...all.map((leavesAt) => leavesAt()));
  }

  /**
   * Deregisters the instance from all of the group's pools. Returns a function for each pool, which returns when the
   * instance has left it.
   */
  #leaving(instanceId: string, now: number): readonly (() => number)[] {
    return [
      ...this.targetGroups.map((group) => this.#leaveGroup(group, instanceId, now)),
      ...this.classics.map((loadBalancer) => this.#leaveClassic(loadBalancer, instanceId, now)),
    ];
  }

  #leaveGroup(group: TargetGroup, id: string, now: number): () => number {
    // An Auto Scaling group registers its instances on the port of the target group.
    const target = group.named({ id }, now);
    this.#surroundings.deregisterTarget(group, { id });
    const leavesAt = target === undefined ? now : (target.deregisteredAt ?? now) + group.drainingMs;
    return () => leavesAt;
  }

  #leaveClassic(loadBalancer: ClassicLoadBalancer, id: string, now: number): () => number {
    this.#surroundings.deregisterClassic(loadBalancer, id);
    return () => loadBalancer.leavesAt(id) ?? now;
  }
}
