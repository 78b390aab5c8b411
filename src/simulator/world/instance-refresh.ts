/**
 * The configuration of the instances that a group launches, as a caller has described it: a `LaunchTemplate` or a
 * `MixedInstancesPolicy` with Auto Scaling's own fields. Launch templates are not simulated: configurations are only
 * compared with each other.
 */
export interface LaunchConfiguration {
  readonly [name: string]: LaunchSetting;
}

export type LaunchSetting = string | readonly LaunchSetting[] | LaunchConfiguration | undefined;

export function isSameConfiguration(a: LaunchConfiguration | undefined, b: LaunchConfiguration | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export type RefreshStrategy = "Rolling" | "ReplaceRootVolume";

/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRefresh.html */
export type RefreshStatus =
  | "Pending"
  | "InProgress"
  | "Baking"
  | "Successful"
  | "Failed"
  | "Cancelling"
  | "Cancelled"
  | "RollbackInProgress"
  | "RollbackSuccessful";

const ENDED: ReadonlySet<RefreshStatus> = new Set(["Successful", "Failed", "Cancelled", "RollbackSuccessful"]);

/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html */
export interface RefreshPreferences {
  readonly minHealthyPercentage: number;
  /** Absent: an instance is terminated and its replacement is launched at the same time. */
  readonly maxHealthyPercentage?: number;
  readonly instanceWarmupSeconds: number;
  /** Skips instances that have the desired configuration. */
  readonly skipMatching: boolean;
  /** The treatment of members in Standby. `Wait`: the refresh fails if they stay there for an hour. */
  readonly standbyInstances: "Terminate" | "Ignore" | "Wait";
  /** Without effect, because no instance here is protected from scale-in. */
  readonly scaleInProtectedInstances: "Refresh" | "Ignore" | "Wait";
  /** In ascending order. Empty: all instances are replaced without a pause. */
  readonly checkpointPercentages: readonly number[];
  readonly checkpointDelaySeconds: number;
  readonly bakeSeconds: number;
}

export interface InstanceRefreshInput {
  readonly id: string;
  readonly strategy: RefreshStrategy;
  readonly preferences: RefreshPreferences;
  /** Undefined: the group's own configuration. */
  readonly desired: LaunchConfiguration | undefined;
  readonly startedAt: number;
  /** All members. */
  readonly memberIds: readonly string[];
  /** Members to be replaced. */
  readonly instanceIds: readonly string[];
}

export interface Rollback {
  readonly startedAt: number;
  readonly percentage: number;
  readonly instancesToUpdate: number;
}

/** One instance refresh of a group. Times are milliseconds since the epoch. */
export class InstanceRefresh {
  readonly id: string;
  readonly strategy: RefreshStrategy;
  readonly preferences: RefreshPreferences;
  readonly desired: LaunchConfiguration | undefined;
  readonly startedAt: number;
  status: RefreshStatus = "Pending";
  statusReason: string | undefined;
  endedAt: number | undefined;
  rollback: Rollback | undefined;
  /** Members when it began. Members that have joined since are fresh. */
  known: ReadonlySet<string>;
  /** Members whose replacement has not begun. */
  readonly waiting: Set<string>;
  /** Members whose replacement has begun. */
  readonly begun = new Set<string>();
  /** When members with a new root volume returned to service. */
  readonly returnedAt = new Map<string, number>();
  /** How many instances are to be replaced. */
  total: number;
  /** How many were replaced and are warm. */
  updated = 0;
  /** How many checkpoints it has passed. */
  checkpointsPassed = 0;
  /** When its pause at a checkpoint ends. */
  pausedUntil: number | undefined;
  /** Since when it waits for members in Standby to return to service. */
  standbySince: number | undefined;

  constructor(input: InstanceRefreshInput) {
    this.id = input.id;
    this.strategy = input.strategy;
    this.preferences = input.preferences;
    this.desired = input.desired;
    this.startedAt = input.startedAt;
    this.known = new Set(input.memberIds);
    this.waiting = new Set(input.instanceIds);
    this.total = input.instanceIds.length;
  }

  get isActive(): boolean {
    return !ENDED.has(this.status);
  }

  /** The percentage of instances that were replaced. During a rollback it decreases to 0. */
  get percentage(): number {
    const share = this.total === 0 ? 100 : Math.floor((100 * this.updated) / this.total);
    return this.rollback === undefined ? share : Math.round((this.rollback.percentage * (100 - share)) / 100);
  }

  get instancesToUpdate(): number {
    return this.rollback?.instancesToUpdate ?? this.total - this.updated;
  }

  get warmupMs(): number {
    return this.preferences.instanceWarmupSeconds * 1_000;
  }

  /** The next checkpoint, in percent. */
  get checkpoint(): number | undefined {
    return this.rollback === undefined ? this.preferences.checkpointPercentages[this.checkpointsPassed] : undefined;
  }

  /** Whether it has passed the last of its checkpoints. The remaining instances are not replaced then. */
  get hasPassedAll(): boolean {
    return this.checkpoint === undefined && this.rollback === undefined && this.checkpointsPassed > 0;
  }

  /** How many replacements may begin in total before the next checkpoint is passed. */
  get limit(): number {
    return this.checkpoint === undefined ? this.total : Math.ceil((this.total * this.checkpoint) / 100);
  }

  /** The replacement of a member begins. */
  begin(instanceId: string): void {
    this.waiting.delete(instanceId);
    this.begun.add(instanceId);
  }

  beginRollback(rollback: Rollback, memberIds: readonly string[], instanceIds: readonly string[]): void {
    this.rollback = rollback;
    this.status = "RollbackInProgress";
    this.waiting.clear();
    this.begun.clear();
    this.returnedAt.clear();
    this.known = new Set(memberIds);
    for (const id of instanceIds) this.waiting.add(id);
    this.total = instanceIds.length;
    this.updated = 0;
    this.pausedUntil = undefined;
    this.standbySince = undefined;
  }

  end(status: RefreshStatus, at: number): void {
    this.status = status;
    this.endedAt = at;
  }
}

/**
 * `least`: how many instances must be in service and warm. `most`: how many may be in service or pending. One instance
 * can always be replaced.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
 */
export function healthyBounds(
  { minHealthyPercentage: min, maxHealthyPercentage: max }: RefreshPreferences,
  desired: number,
): { readonly least: number; readonly most: number } {
  const least = Math.ceil((desired * min) / 100);
  const most = Math.floor((desired * (max ?? 100)) / 100);
  if (least < desired || most > desired) return { least, most };
  // Without a maximum, one instance is terminated first. With 100 %, or a maximum without room, one is launched first.
  return min < 100 && max === undefined ? { least: desired - 1, most } : { least, most: desired + 1 };
}
