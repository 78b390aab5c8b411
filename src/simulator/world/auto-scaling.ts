import type { Clock } from "../clock.ts";
import type { Announcement, WorldChange } from "./announcement.ts";
import { isoSeconds } from "./arn.ts";
import { AutoScalingGroup, type ScalingSurroundings } from "./auto-scaling-group.ts";
import type { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { NewScalingGroup } from "./ids.ts";
import { type Instance, type InstanceInput, type Likeness, likenessOf } from "./instance.ts";
import { InstanceRefreshes } from "./instance-refreshes.ts";
import type { ScaleIn, WayOut } from "./scale-in.ts";
import type { ScalingActivity } from "./scaling-activity.ts";
import type { TargetDescription, TargetGroup } from "./target-group.ts";

/** The part of the world that Auto Scaling uses. */
interface Surroundings extends ScalingSurroundings {
  readonly clock: Clock;
  readonly defaultZones: readonly string[];
  watch(watcher: (change: WorldChange) => void): void;
  at(moment: number, happen: (at: number) => void): void;
  arn(service: "autoscaling", resource: string): string;
  announce(announcement: Announcement): void;
  /** Says that a change will be due at `moment`, or before. */
  dueAt(moment: number): void;
  terminateInstance(instance: Instance, at: number): void;
  rebootInstance(instance: Instance, at: number): void;
  launchInstance(input: InstanceInput, at: number): Instance;
  machineOf(targetId: string): Instance | undefined;
  newHexDigits(): string;
  registerTarget(group: TargetGroup, description: TargetDescription): void;
  registerClassic(loadBalancer: ClassicLoadBalancer, instanceId: string): void;
}

/** The tag that AWS sets on the members of a group. */
const GROUP_TAG = "aws:autoscaling:groupName";
const BY_CAPACITY = "in response to a difference between desired and actual capacity";
const SET_CAPACITY = "explicitly set group desired capacity";
const BY_REFRESH = "in response to an instance refresh";
const BY_HEALTH = "in response to an EC2 instance status check failure";

/** The Auto Scaling groups of a region, and the scale-ins of their members. */
export class AutoScaling {
  readonly groups = new Map<string, AutoScalingGroup>();
  /** The groups that were deleted, the newest last. AWS shows their activities for six weeks. */
  readonly deleted: AutoScalingGroup[] = [];
  /** Scale-ins whose machine is booting from its new root volume. */
  readonly #replacing = new WeakSet<ScaleIn>();
  readonly #world: Surroundings;
  readonly refreshes: InstanceRefreshes;

  constructor(world: Surroundings) {
    this.#world = world;
    this.refreshes = new InstanceRefreshes(world, {
      replace: (group, instance, at) => this.#replaceForRefresh(group, instance, at),
      launch: (group, like, at) => this.#launch(group, like, at, BY_REFRESH),
      replaceRootVolume: (group, instance, at) => this.beginRootVolumeReplacement(group, instance, at),
    });
    world.watch((change) => {
      if (change.type === "instance-terminated" || change.type === "instance-stopped") this.#onLoss(change.instance);
    });
  }

  /**
   * By default, the desired capacity and the maximum size are the number of its instances, and the minimum size is 0.
   */
  add(input: NewScalingGroup): AutoScalingGroup {
    const { name, instanceIds } = input;
    const count = instanceIds.length;
    const defaults = { zones: this.#world.defaultZones, minSize: 0, maxSize: count, desiredCapacity: count };
    const arn = this.#world.arn(
      "autoscaling",
      `autoScalingGroup:${this.#world.newUuid()}:autoScalingGroupName/${name}`,
    );
    const createdAt = this.#world.clock.now();
    const group = new AutoScalingGroup(
      { targetGroups: [], classics: [], hooks: [], ...defaults, ...input, arn, createdAt },
      this.#world,
    );
    this.groups.set(name, group);
    for (const id of instanceIds) this.#world.instance(id)?.tags.set(GROUP_TAG, name);
    return group;
  }

  /** Like DeleteAutoScalingGroup with ForceDelete: terminates the machines at once, without hooks. */
  remove(group: AutoScalingGroup, now: number): void {
    const members = group.members(now);
    this.groups.delete(group.name);
    this.deleted.push(group);
    for (const { instance } of members) this.#world.terminateInstance(instance, now);
  }

  /**
   * Begins to terminate a member. A group that launches instances replaces it, unless the desired capacity was lowered.
   */
  beginScaleIn(group: AutoScalingGroup, instance: Instance, now: number, reason = BY_CAPACITY): ScaleIn {
    return this.#begin(group, instance, now, { reason });
  }

  /**
   * Begins to replace the root volume of a member. It leaves service as for a termination, hooks included, and returns.
   */
  beginRootVolumeReplacement(group: AutoScalingGroup, instance: Instance, now: number): ScaleIn {
    return this.#begin(group, instance, now, {
      wayOut: "replace-root-volume",
      reason: BY_REFRESH,
    });
  }

  /**
   * Moves a member to Standby. A group that launches instances replaces it, unless the desired capacity was lowered.
   * https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
   */
  enterStandby(group: AutoScalingGroup, instance: Instance, now: number, change = ""): ScalingActivity {
    const leavesAt = group.enterStandby(instance.id, now);
    this.#replaceLater(group, instance, now);
    return this.#record(group, instance, {
      description: `Moving EC2 instance to Standby: ${instance.id}`,
      cause: `At ${isoSeconds(now)} instance ${instance.id} was moved to standby in response to a user request${change}.`,
      startedAt: now,
      endsAt: leavesAt,
      progress: (at) => (at < leavesAt() ? "WaitingForELBConnectionDraining" : "InProgress"),
      percentUntilThen: 50,
    });
  }

  /** Returns a member to service. If its machine is off, a group that launches instances replaces it as unhealthy. */
  exitStandby(group: AutoScalingGroup, instance: Instance, now: number, change = ""): ScalingActivity {
    group.exitStandby(instance.id);
    const activity = this.#record(group, instance, {
      description: `Moving EC2 instance out of Standby: ${instance.id}`,
      cause: `At ${isoSeconds(now)} instance ${instance.id} was moved out of standby in response to a user request${change}.`,
      startedAt: now,
      endsAt: () => now,
      progress: () => "PreInService",
      percentUntilThen: 30,
    });
    this.refreshes.lookAt(group, now);
    if (instance.isOff) this.#onLoss(instance);
    else this.#registerWithOwn(group, instance);
    return activity;
  }

  /**
   * Detaches a member. The instance continues to run.
   * https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-detach-attach-instances.html
   */
  detach(group: AutoScalingGroup, instance: Instance, now: number, change = ""): ScalingActivity {
    const leavesAt = group.beginDetaching(instance.id, now);
    this.#replaceLater(group, instance, now);
    this.#world.dueAt(leavesAt());
    return this.#record(group, instance, {
      description: `Detaching EC2 instance: ${instance.id}`,
      cause: `At ${isoSeconds(now)} instance ${instance.id} was detached in response to a user request${change}.`,
      startedAt: now,
      endsAt: leavesAt,
      progress: (at) => (at < leavesAt() ? "WaitingForELBConnectionDraining" : "InProgress"),
      percentUntilThen: 50,
    });
  }

  attach(group: AutoScalingGroup, instance: Instance, now: number): ScalingActivity {
    group.join(instance);
    instance.tags.set(GROUP_TAG, group.name);
    this.#registerWithOwn(group, instance);
    return this.#record(group, instance, {
      description: `Attaching an existing EC2 instance: ${instance.id}`,
      cause: `At ${isoSeconds(now)} an instance was attached in response to a user request.`,
      startedAt: now,
      endsAt: () => now,
      progress: () => "InProgress",
    });
  }

  /**
   * Terminates surplus members. A group that launches instances launches the missing ones. `request`: the words in which AWS
   * names the caller's request.
   */
  setCapacity(group: AutoScalingGroup, desired: number, now: number, request = SET_CAPACITY): void {
    const change = `changing the desired capacity from ${group.desiredCapacity} to ${desired}`;
    const trigger = `At ${isoSeconds(now)} a user request ${request} ${change}.  `;
    const reason = `in response to a user request that set the desired capacity from ${group.desiredCapacity} to ${desired}`;
    group.desiredCapacity = desired;
    for (let extra = group.capacity(now) - desired; extra > 0; extra--) {
      const instance = group.leastNeeded(now);
      if (instance !== undefined) this.beginScaleIn(group, instance, now, reason);
    }
    for (let missing = desired - group.capacity(now); missing > 0; missing--)
      this.#replaceLater(group, undefined, now, trigger);
  }

  #begin(
    group: AutoScalingGroup,
    instance: Instance,
    now: number,
    { wayOut, reason }: { readonly wayOut?: WayOut; readonly reason: string },
  ): ScaleIn {
    const scaleIn = group.beginScaleIn(instance.id, now, wayOut);
    this.#world.dueAt(scaleIn.dueAt);
    if (wayOut === undefined) this.#replaceLater(group, instance, now);
    const what = wayOut === undefined ? "Terminating" : "Replacing the root volume of";
    const endsAt = () =>
      scaleIn.endsAt === undefined ? undefined : scaleIn.endsAt + this.#world.timing.shuttingDownMs;
    this.#record(group, instance, {
      id: scaleIn.activityId,
      description: `${what} EC2 instance: ${instance.id}`,
      cause: `At ${isoSeconds(now)} instance ${instance.id} was taken out of service ${reason}.`,
      startedAt: now,
      endsAt: () => (scaleIn.isRetained ? undefined : endsAt()),
      progress: (at) => scaleIn.progress(at),
    });
    return scaleIn;
  }

  /** Terminates a member and launches a replacement, even in a group that launches no other instances. */
  #replaceForRefresh(group: AutoScalingGroup, instance: Instance, now: number): void {
    this.#begin(group, instance, now, { reason: BY_REFRESH });
    if (group.launchMs === undefined) this.#world.at(now, (at) => this.#replace(group, instance, at));
  }

  /**
   * `like`: the machine that is replaced. Absent: the launched machine is like the group's model. `trigger`: the sentence about
   * the caller's request, with which the cause begins.
   */
  #replaceLater(group: AutoScalingGroup, like: Instance | undefined, now: number, trigger = ""): void {
    if (group.launchMs === undefined) return;
    this.#world.at(now + group.launchMs, (at) => this.#replace(group, like, at, trigger));
  }

  #record(
    group: AutoScalingGroup,
    { zone }: Instance,
    activity: Omit<ScalingActivity, "id" | "zone"> & { readonly id?: string },
  ): ScalingActivity {
    const recorded = { id: this.#world.newUuid(), ...activity, zone };
    group.activities.record(recorded);
    return recorded;
  }

  /** When changes are due in the groups. */
  get times(): readonly number[] {
    const detached = [...this.groups.values()].flatMap((group) => group.detachTimes);
    return [...this.#leaving().map(({ scaleIn }) => scaleIn.dueAt), ...detached];
  }

  /**
   * Applies the changes that are due by `until`: hooks begin, machines are switched off. Returns whether any was due.
   */
  catchUp(until: number): boolean {
    const begun = this.#leaving().filter(({ group, scaleIn }) => this.#beginHooks(group, scaleIn, until));
    const due = this.#leaving()
      .filter(({ scaleIn }) => !scaleIn.isRetained && !this.#replacing.has(scaleIn))
      .map(({ group, scaleIn }) => ({
        group,
        scaleIn,
        instance: this.#world.instance(scaleIn.instanceId),
        at: scaleIn.endsAt ?? Number.POSITIVE_INFINITY,
      }))
      .filter(({ instance, at }) => at <= until && instance?.terminatedAt === undefined)
      .sort((a, b) => a.at - b.at);
    for (const { instance, at, group, scaleIn } of due) {
      if (instance === undefined) continue;
      if (scaleIn.wayOut === "replace-root-volume") this.#replaceRootVolume(group, scaleIn, instance, at);
      else this.#world.terminateInstance(instance, at);
    }
    const detached = [...this.groups.values()].flatMap((group) => group.finishDetaching(until));
    for (const id of detached) this.#world.instance(id)?.tags.delete(GROUP_TAG);
    return begun.length > 0 || detached.length > 0 || due.some(({ instance }) => instance !== undefined);
  }

  /**
   * A group that launches instances finds a member that is off unhealthy. It terminates the member in the usual order,
   * hooks included, although the machine does not run any more. AWS documents no delay. Here it happens at once.
   * https://docs.aws.amazon.com/autoscaling/ec2/userguide/health-checks-overview.html
   */
  #onLoss(instance: Instance): void {
    for (const group of this.groups.values()) {
      if (group.launchMs === undefined || !group.has(instance.id) || group.isAside(instance.id)) continue;
      const now = instance.terminatedAt ?? instance.stoppedAt ?? this.#world.clock.now();
      if (group.isLost(instance)) this.#replaceLater(group, instance, now);
      if (group.scaleInOf(instance.id) !== undefined) continue;
      this.beginScaleIn(group, instance, now, BY_HEALTH);
    }
  }

  /** Reboots the machine from the new volume. Then its group registers it again with its own pools. */
  #replaceRootVolume(group: AutoScalingGroup, scaleIn: ScaleIn, instance: Instance, at: number): void {
    this.#replacing.add(scaleIn);
    this.#world.rebootInstance(instance, at);
    this.#world.at(at + this.#world.timing.rebootMs, () => {
      group.endScaleIn(instance.id);
      this.#registerWithOwn(group, instance);
      this.refreshes.inService(group, instance, at + this.#world.timing.rebootMs);
    });
  }

  #registerWithOwn(group: AutoScalingGroup, { id }: Instance): void {
    for (const own of group.targetGroups) this.#world.registerTarget(own, { id });
    for (const own of group.classics) this.#world.registerClassic(own, id);
  }

  #replace(group: AutoScalingGroup, lost: Instance | undefined, at: number, trigger = ""): void {
    const like = lost ?? group.model(at);
    const capacity = group.capacity(at);
    if (like === undefined || capacity >= group.desiredCapacity) return;
    const reason = `${BY_CAPACITY}, increasing the capacity from ${capacity} to ${capacity + 1}`;
    this.#launch(group, like, at, reason, trigger);
  }

  #launch(group: AutoScalingGroup, like: Likeness, at: number, reason: string, trigger = ""): void {
    const instance = this.#world.launchInstance(likenessOf(like, this.#world), at);
    group.join(instance);
    group.configure(instance.id, this.refreshes.configurationOf(group));
    instance.tags.set(GROUP_TAG, group.name);
    for (const [key, value] of group.tags) if (!group.ownTags.has(key)) instance.tags.set(key, value);
    this.#record(group, instance, {
      description: `Launching a new EC2 instance: ${instance.id}`,
      cause: `${trigger}At ${isoSeconds(at)} an instance was started ${reason}.`,
      startedAt: at,
      endsAt: () => at + this.#world.timing.pendingMs,
      progress: () => "InProgress",
    });
    this.#world.at(at + this.#world.timing.pendingMs, (then) => {
      // The instance may be leaving already.
      if (!group.members(then).some((member) => member.instance === instance && member.lifecycleState === "InService"))
        return;
      this.#registerWithOwn(group, instance);
      this.refreshes.inService(group, instance, then);
    });
  }

  #beginHooks(group: AutoScalingGroup, scaleIn: ScaleIn, until: number): boolean {
    const { instanceId } = scaleIn;
    const actions = scaleIn.catchUp(until);
    if (actions === undefined) return false;
    for (const action of actions) {
      this.#world.announce({ type: "lifecycle-action", group, instanceId, action, at: action.startedAt });
    }
    this.#world.dueAt(scaleIn.dueAt);
    return true;
  }

  #leaving(): readonly { readonly group: AutoScalingGroup; readonly scaleIn: ScaleIn }[] {
    return [...this.groups.values()].flatMap((group) => group.scaleIns.map((scaleIn) => ({ group, scaleIn })));
  }
}
