import type { Timing } from "../timing.ts";
import type { Announcement, RefreshEvent, WorldChange } from "./announcement.ts";
import { type AutoScalingGroup, type Member, SERVING } from "./auto-scaling-group.ts";
import type { Instance } from "./instance.ts";
import {
  healthyBounds,
  InstanceRefresh,
  isSameConfiguration,
  type LaunchConfiguration,
  type RefreshPreferences,
  type RefreshStrategy,
} from "./instance-refresh.ts";
import { LISTED_MS } from "./scaling-activity.ts";

/** The part of the world that an instance refresh uses. */
interface Surroundings {
  readonly timing: Timing;
  watch(watcher: (change: WorldChange) => void): void;
  at(moment: number, happen: (at: number) => void): void;
  announce(announcement: Announcement): void;
  newUuid(): string;
}

/** The actions of a refresh on its group. */
export interface RefreshActions {
  /** Terminates a member and launches a replacement, unless there are enough members. */
  readonly replace: (group: AutoScalingGroup, instance: Instance, at: number) => void;
  /** Launches one instance more than the desired capacity. */
  readonly launch: (group: AutoScalingGroup, like: Instance, at: number) => void;
  readonly replaceRootVolume: (group: AutoScalingGroup, instance: Instance, at: number) => void;
}

/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html */
const STANDBY_WAIT_MS = 3_600_000;
const STANDBY_TIMEOUT = "The instance refresh has waited an hour for instances in Standby to return to service.";

const REPLACEABLE: ReadonlySet<string> = new Set([...SERVING, "Standby"]);

/** The members that are in service, or soon will be, as a refresh counts them. */
interface Counted {
  /** Still to be replaced. */
  readonly old: readonly Member[];
  /** Launched since the refresh began, or returned with a new root volume. */
  readonly fresh: readonly Member[];
  /** In service. Fresh members must have been in service for the warmup time. */
  readonly warm: readonly Member[];
  readonly serving: readonly Member[];
  /** To be replaced, in Standby. */
  readonly standby: readonly Member[];
  /** How many fresh members there must be in the end. */
  readonly needed: number;
  /** Whether the root volume of any member is being replaced. */
  readonly isReplacing: boolean;
}

/**
 * The instance refreshes of a region: instances are replaced in batches, each in the usual order, hooks included. A
 * refresh does not wait for instances that are leaving. The health checks of a group are those of EC2.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html
 */
export class InstanceRefreshes {
  readonly #of = new Map<AutoScalingGroup, readonly InstanceRefresh[]>();
  readonly #world: Surroundings;
  readonly #actions: RefreshActions;

  constructor(world: Surroundings, actions: RefreshActions) {
    this.#world = world;
    this.#actions = actions;
    world.watch((change) => {
      if (change.type !== "instance-terminated" && change.type !== "instance-stopped") return;
      const { id, terminatedAt, stoppedAt } = change.instance;
      const at = terminatedAt ?? stoppedAt;
      for (const [group] of this.#of) {
        if (!group.has(id) || at === undefined) continue;
        this.lookAt(group, at);
        this.lookAt(group, at + world.timing.shuttingDownMs);
      }
    });
  }

  /** The refreshes that AWS lists, the latest one last. */
  of(group: AutoScalingGroup, now: number): readonly InstanceRefresh[] {
    return (this.#of.get(group) ?? []).filter(({ startedAt }) => now < startedAt + LISTED_MS);
  }

  /** The refresh that has not ended. Undefined: there is none. */
  activeOf(group: AutoScalingGroup): InstanceRefresh | undefined {
    return this.#of.get(group)?.findLast(({ isActive }) => isActive);
  }

  /** The configuration of instances that the group launches now. */
  configurationOf(group: AutoScalingGroup): LaunchConfiguration | undefined {
    const active = this.activeOf(group);
    return active?.rollback === undefined ? (active?.desired ?? group.configuration) : group.configuration;
  }

  start(
    group: AutoScalingGroup,
    input: {
      readonly strategy: RefreshStrategy;
      readonly preferences: RefreshPreferences;
      readonly desired: LaunchConfiguration | undefined;
    },
    now: number,
  ): InstanceRefresh {
    const { skipMatching, standbyInstances } = input.preferences;
    const wanted = input.desired ?? group.configuration;
    const members = group.members(now);
    const meant = members.filter(({ instance, lifecycleState }) => {
      if (lifecycleState === "Standby" && standbyInstances === "Ignore") return false;
      const matches = isSameConfiguration(group.configurationOf(instance.id), wanted);
      return REPLACEABLE.has(lifecycleState) && !(skipMatching && matches);
    });
    const refresh = new InstanceRefresh({
      ...input,
      id: this.#world.newUuid(),
      startedAt: now,
      memberIds: idsOf(members),
      instanceIds: idsOf(meant),
    });
    this.#of.set(group, [...this.of(group, now), refresh]);
    this.#world.at(now, (at) => {
      if (refresh.status !== "Pending") return;
      refresh.status = "InProgress";
      this.#announce(group, refresh, { name: "Started" }, at);
      this.#advance(group, refresh, at);
    });
    return refresh;
  }

  /** `waits`: whether it waits for instances that are being launched or terminated. */
  cancel(group: AutoScalingGroup, refresh: InstanceRefresh, waits: boolean, now: number): void {
    refresh.status = "Cancelling";
    this.#world.at(now, (at) => this.#cancelOnceQuiet(group, refresh, waits, at));
  }

  /** Replaces the instances that the refresh has replaced, by the group's own configuration. */
  rollBack(group: AutoScalingGroup, refresh: InstanceRefresh, now: number): void {
    const { percentage, instancesToUpdate } = refresh;
    const members = group.members(now);
    const replaced = members
      .filter(({ lifecycleState }) => REPLACEABLE.has(lifecycleState))
      .filter(({ instance }) => isSameConfiguration(group.configurationOf(instance.id), refresh.desired));
    refresh.beginRollback({ startedAt: now, percentage, instancesToUpdate }, idsOf(members), idsOf(replaced));
    this.#announce(group, refresh, { name: "Rollback Started" }, now);
    this.lookAt(group, now);
  }

  /** Called when a member was launched or has a new root volume. It is in service from `at` on. */
  inService(group: AutoScalingGroup, instance: Instance, at: number): void {
    const refresh = this.activeOf(group);
    if (refresh === undefined) return;
    if (refresh.begun.has(instance.id)) refresh.returnedAt.set(instance.id, at);
    this.lookAt(group, at);
    this.lookAt(group, at + refresh.warmupMs);
  }

  /** Called for a moment at which the members of the group change. The active refresh continues then. */
  lookAt(group: AutoScalingGroup, moment: number): void {
    const refresh = this.activeOf(group);
    if (refresh !== undefined) this.#world.at(moment, (at) => this.#advance(group, refresh, at));
  }

  #advance(group: AutoScalingGroup, refresh: InstanceRefresh, at: number): void {
    if (refresh.status === "Cancelling") this.#cancelOnceQuiet(group, refresh, true, at);
    if (refresh.status !== "InProgress" && refresh.status !== "RollbackInProgress") return;
    const counted = this.#count(group, refresh, at);
    refresh.updated = Math.min(refresh.total, counted.fresh.filter((member) => counted.warm.includes(member)).length);
    if (at < (refresh.pausedUntil ?? at) || this.#pauses(group, refresh, at)) return;
    if (refresh.hasPassedAll || isDone(refresh, counted)) this.#finish(group, refresh, at);
    else if (this.#hasWaitedTooLong(group, refresh, counted, at)) return;
    else if (refresh.strategy === "Rolling") this.#replaceMore(group, refresh, counted, at);
    else this.#replaceRootVolumes(group, refresh, counted, at);
  }

  #count(group: AutoScalingGroup, refresh: InstanceRefresh, at: number): Counted {
    const { waiting, returnedAt, warmupMs, known, begun, strategy } = refresh;
    const all = group.members(at);
    const members = all.filter(({ lifecycleState }) => REPLACEABLE.has(lifecycleState));
    const ids = new Set(idsOf(members));
    // A member that has left for another reason was replaced by the group.
    for (const id of waiting) if (!ids.has(id)) waiting.delete(id);
    const serving = members.filter(({ lifecycleState }) => SERVING.has(lifecycleState));
    const isOld = ({ instance }: Member) => waiting.has(instance.id);
    const isFresh = ({ instance }: Member) =>
      strategy === "Rolling" ? !known.has(instance.id) : returnedAt.has(instance.id);
    const servesFrom = ({ instance }: Member) => returnedAt.get(instance.id) ?? instance.runsFrom(this.#world.timing);
    const fresh = serving.filter(isFresh);
    const others = serving.filter((member) => !isOld(member) && !isFresh(member)).length;
    return {
      serving,
      fresh,
      old: serving.filter(isOld),
      warm: serving.filter(
        (member) => member.lifecycleState === "InService" && (!isFresh(member) || at >= servesFrom(member) + warmupMs),
      ),
      standby: members.filter((member) => isOld(member) && member.lifecycleState === "Standby"),
      isReplacing: idsOf(all).some((id) => begun.has(id) && !returnedAt.has(id)),
      needed: Math.min(refresh.total, Math.max(0, group.desiredCapacity - others)),
    };
  }

  /** Whether it pauses at a checkpoint that it has reached now. */
  #pauses(group: AutoScalingGroup, refresh: InstanceRefresh, at: number): boolean {
    const { checkpoint, preferences } = refresh;
    if (checkpoint === undefined || refresh.updated < refresh.limit) return false;
    refresh.checkpointsPassed += 1;
    const delaySeconds = preferences.checkpointDelaySeconds;
    this.#announce(group, refresh, { name: "Checkpoint Reached", percentage: checkpoint, delaySeconds }, at);
    if (refresh.waiting.size === 0) return false;
    refresh.pausedUntil = at + delaySeconds * 1_000;
    this.lookAt(group, refresh.pausedUntil);
    return true;
  }

  /** Terminates as many members as the minimum allows, and launches as many as the maximum allows. */
  #replaceMore(group: AutoScalingGroup, refresh: InstanceRefresh, counted: Counted, at: number): void {
    const { old, warm, serving, fresh, needed, standby } = counted;
    const { least, most } = healthyBounds(refresh.preferences, group.desiredCapacity);
    const budget = refresh.limit - refresh.begun.size;
    if (most > group.desiredCapacity) {
      const launches = Math.min(most - serving.length, Math.min(needed, refresh.limit) - fresh.length);
      for (const { instance } of old.slice(0, Math.max(0, launches))) this.#actions.launch(group, instance, at);
    }
    const inService = old.filter((member) => warm.includes(member));
    const aside = refresh.preferences.standbyInstances === "Terminate" ? standby : [];
    const leaving = [...aside, ...inService.slice(0, Math.max(0, warm.length - least))];
    for (const { instance } of leaving.slice(0, Math.max(0, budget))) {
      refresh.begin(instance.id);
      this.#actions.replace(group, instance, at);
      this.lookAt(group, at);
    }
  }

  #replaceRootVolumes(group: AutoScalingGroup, refresh: InstanceRefresh, counted: Counted, at: number): void {
    const { old, warm } = counted;
    const { least } = healthyBounds(refresh.preferences, group.desiredCapacity);
    const spare = warm.length - Math.min(least, group.desiredCapacity - 1);
    const count = Math.max(0, Math.min(spare, refresh.limit - refresh.begun.size));
    const inService = old.filter((member) => warm.includes(member));
    for (const { instance } of inService.slice(0, count)) {
      refresh.begin(instance.id);
      group.configure(instance.id, this.configurationOf(group));
      this.#actions.replaceRootVolume(group, instance, at);
    }
  }

  /** Fails a refresh that has only members in Standby left, and has waited for them for an hour. */
  #hasWaitedTooLong(group: AutoScalingGroup, refresh: InstanceRefresh, { old, standby }: Counted, at: number): boolean {
    if (standby.length === 0 || old.length > 0 || refresh.preferences.standbyInstances !== "Wait") {
      refresh.standbySince = undefined;
      return false;
    }
    if (refresh.standbySince === undefined) this.lookAt(group, at + STANDBY_WAIT_MS);
    refresh.standbySince ??= at;
    if (at < refresh.standbySince + STANDBY_WAIT_MS) return false;
    refresh.statusReason = STANDBY_TIMEOUT;
    refresh.end("Failed", at);
    this.#announce(group, refresh, { name: "Failed" }, at);
    return true;
  }

  #finish(group: AutoScalingGroup, refresh: InstanceRefresh, at: number): void {
    if (refresh.status === "RollbackInProgress") {
      refresh.end("RollbackSuccessful", at);
      this.#announce(group, refresh, { name: "Rollback Succeeded" }, at);
      return;
    }
    const { bakeSeconds } = refresh.preferences;
    if (bakeSeconds === 0) {
      this.#succeed(group, refresh, at);
      return;
    }
    refresh.status = "Baking";
    this.#announce(group, refresh, { name: "Started Baking" }, at);
    this.#world.at(at + bakeSeconds * 1_000, (then) => {
      if (refresh.status === "Baking") this.#succeed(group, refresh, then);
    });
  }

  #succeed(group: AutoScalingGroup, refresh: InstanceRefresh, at: number): void {
    group.configuration = this.configurationOf(group);
    refresh.end("Successful", at);
    this.#announce(group, refresh, { name: "Succeeded" }, at);
  }

  #cancelOnceQuiet(group: AutoScalingGroup, refresh: InstanceRefresh, waits: boolean, at: number): void {
    if (refresh.status !== "Cancelling") return;
    const leaving = [...refresh.begun].flatMap((id) => group.scaleInOf(id) ?? []);
    const present = new Set(idsOf(group.members(at)));
    const underWay = leaving.filter((scaleIn) => present.has(scaleIn.instanceId) && !scaleIn.hasRetainedBy(at));
    const isLaunching = group.members(at).some(({ lifecycleState }) => lifecycleState === "Pending");
    if (waits && (underWay.length > 0 || isLaunching)) {
      for (const { dueAt } of underWay) if (dueAt > at) this.lookAt(group, dueAt);
      return;
    }
    refresh.end("Cancelled", at);
    this.#announce(group, refresh, { name: "Cancelled" }, at);
  }

  #announce(group: AutoScalingGroup, { id }: InstanceRefresh, event: RefreshEvent, at: number): void {
    this.#world.announce({ type: "instance-refresh", group, refreshId: id, event, at });
  }
}

function idsOf(members: readonly Member[]): readonly string[] {
  return members.map(({ instance }) => instance.id);
}

function isDone({ waiting, strategy }: InstanceRefresh, { fresh, warm, needed, isReplacing }: Counted): boolean {
  if (waiting.size > 0 || fresh.some((member) => !warm.includes(member))) return false;
  return strategy === "Rolling" ? fresh.length >= needed : !isReplacing;
}
