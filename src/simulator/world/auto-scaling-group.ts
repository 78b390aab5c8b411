import type { Timing } from "../timing.ts";
import type { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { Instance } from "./instance.ts";
import type { LifecycleHook } from "./lifecycle-action.ts";
import { ScaleIn, type WayOut } from "./scale-in.ts";
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
  readonly minSize: number;
  readonly maxSize: number;
  desiredCapacity: number;
  readonly targetGroups: readonly TargetGroup[];
  readonly classics: readonly ClassicLoadBalancer[];
  readonly hooks: readonly LifecycleHook[];
  readonly launchMs: number | undefined;
  readonly createdAt: number;
  readonly retainsAbandoned: boolean;
  readonly tags = new Map<string, string>();
  #instanceIds: readonly string[];
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

  /** How many members serve, or will when they have started. */
  capacity(now: number): number {
    return this.members(now).filter(({ lifecycleState }) => SERVING.has(lifecycleState)).length;
  }

  has(instanceId: string): boolean {
    return this.#instanceIds.includes(instanceId);
  }

  /** Takes in an instance that it has launched. */
  join(instance: Instance): void {
    this.#instanceIds = [...this.#instanceIds, instance.id];
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
      leavesAt: [
        ...this.targetGroups.map((group) => this.#leaveGroup(group, instanceId, now)),
        ...this.classics.map((loadBalancer) => this.#leaveClassic(loadBalancer, instanceId, now)),
      ],
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
    if (scaleIn !== undefined && now < (scaleIn.endsAt ?? Number.POSITIVE_INFINITY)) return scaleIn.lifecycleState(now);
    const state = instance.state(now, this.#surroundings.timing);
    if (state === "terminated") return undefined;
    if (scaleIn !== undefined) return scaleIn.lifecycleState(now);
    if (state === "pending") return "Pending";
    return state === "shutting-down" ? "Terminating" : "InService";
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
