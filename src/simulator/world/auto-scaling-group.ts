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
  /** The group's own: what it registers its instances with, and deregisters them from. */
  readonly targetGroups: readonly TargetGroup[];
  readonly classics: readonly ClassicLoadBalancer[];
  readonly hooks: readonly LifecycleHook[];
  /** From losing a member until another one is launched in its place. Absent: the group launches nothing. */
  readonly launchMs?: number;
  /**
   * Its instance lifecycle policy keeps a machine whose termination hook was abandoned. Default: none does.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RetentionTriggers.html
   */
  readonly retainsAbandoned?: boolean;
  readonly createdAt: number;
  /** What it launches where it has no members to launch others like: in each of its zones in turn. */
  readonly blueprint?: Omit<Likeness, "zone">;
}

/** What an Auto Scaling group needs to know of the world around it, and does to it. */
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

const SERVING: ReadonlySet<string> = new Set(["Pending", "InService"]);

/** Instances that belong together, and how they leave. */
export class AutoScalingGroup {
  readonly name: string;
  readonly arn: string;
  readonly zones: readonly string[];
  minSize: number;
  maxSize: number;
  desiredCapacity: number;
  readonly targetGroups: readonly TargetGroup[];
  readonly classics: readonly ClassicLoadBalancer[];
  /** How long a new member's failed health checks do not count. */
  healthCheckGraceSeconds = 300;
  defaultWarmupSeconds: number | undefined;
  /** Undefined: AWS's own, which every account has. */
  serviceLinkedRoleArn: string | undefined;
  /** What it launches by. Undefined: instances like those that it has. */
  configuration: LaunchConfiguration | undefined;
  hooks: readonly LifecycleHook[];
  readonly launchMs: number | undefined;
  readonly createdAt: number;
  retainsAbandoned: boolean;
  readonly tags = new Map<string, string>();
  /** The keys of those tags that the machines that it launches do not get. */
  readonly ownTags = new Set<string>();
  /** Members that a caller has said are unhealthy. */
  readonly unhealthy = new Set<string>();
  readonly activities = new ScalingActivities();
  /** For each member that was moved to Standby, and each that is being detached: when it has left the group's pools. */
  readonly #standby = new Map<string, () => number>();
  readonly #detaching = new Map<string, () => number>();
  #instanceIds: readonly string[];
  readonly #blueprint: Omit<Likeness, "zone"> | undefined;
  /** By member. Those that are not in here are older than any configuration. */
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

  /** Who belongs to it now. A terminated instance does no more, unless a hook still waits for it. */
  members(now: number): readonly Member[] {
    return this.#instanceIds.flatMap((id) => {
      const instance = this.#surroundings.instance(id);
      if (instance === undefined) return [];
      const lifecycleState = this.#lifecycleState(instance, now);
      return lifecycleState === undefined ? [] : [{ instance, lifecycleState }];
    });
  }

  /** How many members serve, or will when they have started or have their new root volume. */
  capacity(now: number): number {
    const counts = (state: string) => SERVING.has(state) || state.startsWith("ReplacingRootVolume");
    return this.members(now).filter(({ lifecycleState }) => counts(lifecycleState)).length;
  }

  /** Whether a member's machine has gone while its root volume was replaced. */
  isLost({ id, terminatedAt }: Instance): boolean {
    return terminatedAt !== undefined && this.#scaleIns.get(id)?.wayOut === "replace-root-volume";
  }

  has(instanceId: string): boolean {
    return this.#instanceIds.includes(instanceId);
  }

  /** Takes in an instance: one that it has launched, or that was attached. */
  join(instance: Instance): void {
    this.#instanceIds = [...this.#instanceIds, instance.id];
  }

  /** How long a member needs before it is counted as one that serves. */
  get warmupSeconds(): number {
    return this.defaultWarmupSeconds ?? this.healthCheckGraceSeconds;
  }

  /** What a member was launched by, or got its root volume by. */
  configurationOf(instanceId: string): LaunchConfiguration | undefined {
    return this.#configurations.get(instanceId);
  }

  configure(instanceId: string, configuration: LaunchConfiguration | undefined): void {
    if (configuration === undefined) this.#configurations.delete(instanceId);
    else this.#configurations.set(instanceId, configuration);
  }

  /** What others are launched like: its newest member, even if that is gone by now, unless it was told otherwise. */
  model(now: number): Likeness | undefined {
    if (this.#blueprint === undefined) {
      const known = this.#instanceIds.map((id) => this.#surroundings.instance(id));
      return known.findLast((instance) => instance !== undefined);
    }
    const inZone = (zone: string) => this.members(now).filter(({ instance }) => instance.zone === zone).length;
    const [zone] = this.zones.toSorted((a, b) => inZone(a) - inZone(b));
    return zone === undefined ? undefined : { ...this.#blueprint, zone };
  }

  /** The VPC of its subnets. Undefined as long as nothing says so: it has had no member, and knows none to launch. */
  get vpcId(): string | undefined {
    if (this.#blueprint !== undefined) return this.#blueprint.vpcId;
    for (const id of this.#instanceIds) {
      const instance = this.#surroundings.instance(id);
      if (instance !== undefined) return instance.vpcId;
    }
    return undefined;
  }

  /**
   * The member that a smaller group can do without: in the zone that has most of them, the oldest one.
   * https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
   */
  leastNeeded(now: number): Instance | undefined {
    const serving = this.members(now).filter(({ lifecycleState }) => SERVING.has(lifecycleState));
    const instances = serving.map(({ instance }) => instance);
    const countIn = (zone: string) => instances.filter((instance) => instance.zone === zone).length;
    return [...instances].sort((a, b) => countIn(b.zone) - countIn(a.zone) || a.launchedAt - b.launchedAt)[0];
  }

  /** A member stays one, out of service: its group's pools let go of it. Returns a function that says when they have. */
  enterStandby(instanceId: string, now: number): () => number {
    const leavesAt = this.#leavePools(instanceId, now);
    this.#standby.set(instanceId, leavesAt);
    return leavesAt;
  }

  exitStandby(instanceId: string): void {
    this.#standby.delete(instanceId);
  }

  /** A member is about to be none: its group's pools let go of it. Returns a function that says when they have. */
  beginDetaching(instanceId: string, now: number): () => number {
    const leavesAt = this.#leavePools(instanceId, now);
    this.#detaching.set(instanceId, leavesAt);
    return leavesAt;
  }

  /** When members that are being detached cease to be members. */
  get detachTimes(): readonly number[] {
    return [...this.#detaching.values()].map((leavesAt) => leavesAt());
  }

  /** Lets those go that have left the pools by `until`, and returns them. */
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

  /** Whether the group does not keep this member in service: it is in Standby, or being detached. */
  isAside(instanceId: string): boolean {
    return this.#standby.has(instanceId) || this.#detaching.has(instanceId);
  }

  /** The instance's way out, from its begin on. */
  scaleInOf(instanceId: string): ScaleIn | undefined {
    return this.#scaleIns.get(instanceId);
  }

  get scaleIns(): readonly ScaleIn[] {
    return [...this.#scaleIns.values()];
  }

  /** Takes a member out: its own target groups and load balancers let go of it at once. */
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

  /** The instance has come back: it is a member as before. */
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

  /** Lets all of its pools let go of the instance. For each of them: when it has. */
  #leaving(instanceId: string, now: number): readonly (() => number)[] {
    return [
      ...this.targetGroups.map((group) => this.#leaveGroup(group, instanceId, now)),
      ...this.classics.map((loadBalancer) => this.#leaveClassic(loadBalancer, instanceId, now)),
    ];
  }

  #leaveGroup(group: TargetGroup, id: string, now: number): () => number {
    // On the group's port, which is where an Auto Scaling group registers.
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
