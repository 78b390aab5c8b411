import { AwsError, validationError } from "../aws-error.ts";
import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";
import type { InstanceRefresh, LaunchConfiguration, RefreshPreferences } from "../world/instance-refresh.ts";
import type { World } from "../world/world.ts";
import { type ApiActions, isoTime } from "./action.ts";
import { readConfiguration, templateOf } from "./launch-configurations.ts";
import { recordsOf } from "./paging.ts";
import {
  type Bounds,
  checkSettings,
  integer,
  type NotSimulated,
  type Params,
  structure,
  text,
  texts,
} from "./params.ts";
import { namedGroup, oneOf } from "./scaling-groups.ts";
import type { XmlFields } from "./xml.ts";

const PAGES = { byDefault: 50, max: 100 };
const PERCENT: Bounds = [0, 100];
const MOST_PERCENT: Bounds = [100, 200];
const PAUSE_SECONDS: Bounds = [0, 172_800];
const SECONDS: Bounds = [0, Number.MAX_SAFE_INTEGER];
const DEFAULTS = { minHealthyPercentage: 90, checkpointDelaySeconds: 3_600 };
const NOT_SIMULATED: NotSimulated = { AutoRollback: ["false"], AlarmSpecification: [] };
const STRATEGIES = ["Rolling", "ReplaceRootVolume"] as const;
const STANDBY = ["Terminate", "Ignore", "Wait"] as const;
const PROTECTED = ["Refresh", "Ignore", "Wait"] as const;

/** Instance refreshes of groups. https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html */
export const instanceRefreshActions: ApiActions = {
  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html */
  StartInstanceRefresh(params, world) {
    const group = namedGroup(params, world);
    const strategy = oneOf(params, "Strategy", STRATEGIES) ?? "Rolling";
    const preferences = readPreferences(structure(params, "Preferences") ?? {}, group);
    const desired = readConfiguration(structure(params, "DesiredConfiguration"));
    if (strategy === "ReplaceRootVolume") checkImages(desired);
    const { refreshes } = world.scaling;
    if (refreshes.activeOf(group) !== undefined)
      throw new AwsError(
        "InstanceRefreshInProgress",
        "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
      );
    const { id } = refreshes.start(group, { strategy, preferences, desired }, world.clock.now());
    world.catchUp();
    return { InstanceRefreshId: id };
  },

  /** The latest one first. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeInstanceRefreshes.html */
  DescribeInstanceRefreshes(params, world) {
    const group = namedGroup(params, world);
    const ids = texts(params, "InstanceRefreshIds");
    const all = world.scaling.refreshes.of(group, world.clock.now()).toReversed();
    const chosen = all.filter(({ id }) => ids?.includes(id) ?? true);
    const { items, nextToken } = recordsOf(chosen, params, PAGES);
    return { InstanceRefreshes: { member: items.map((refresh) => refreshXml(refresh, group)) }, NextToken: nextToken };
  },

  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CancelInstanceRefresh.html */
  CancelInstanceRefresh(params, world) {
    const { group, refresh } = activeRefresh(params, world);
    const waits = text(params, "WaitForTransitioningInstances") !== "false";
    if (refresh.status !== "Cancelling") world.scaling.refreshes.cancel(group, refresh, waits, world.clock.now());
    world.catchUp();
    return { InstanceRefreshId: refresh.id };
  },

  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RollbackInstanceRefresh.html */
  RollbackInstanceRefresh(params, world) {
    const { group, refresh } = activeRefresh(params, world);
    if (refresh.status === "Cancelling" || refresh.rollback !== undefined) throw noActiveRefresh(group);
    const before = templateOf(group.configuration)?.["Version"];
    if (refresh.desired === undefined || before === "$Latest" || before === "$Default")
      throw new AwsError(
        "IrreversibleInstanceRefresh",
        "The instance refresh cannot be rolled back: it needs a desired configuration, and the group a numbered version of its launch template",
      );
    world.scaling.refreshes.rollBack(group, refresh, world.clock.now());
    world.catchUp();
    return { InstanceRefreshId: refresh.id };
  },
};

function activeRefresh(
  params: Params,
  world: World,
): { readonly group: AutoScalingGroup; readonly refresh: InstanceRefresh } {
  const group = namedGroup(params, world);
  const refresh = world.scaling.refreshes.activeOf(group);
  if (refresh === undefined) throw noActiveRefresh(group);
  return { group, refresh };
}

function noActiveRefresh({ name }: AutoScalingGroup): AwsError {
  return new AwsError(
    "ActiveInstanceRefreshNotFound",
    `No in progress or pending Instance Refresh found for Auto Scaling group ${name}`,
  );
}

function readPreferences(params: Params, group: AutoScalingGroup): RefreshPreferences {
  checkSettings(params, NOT_SIMULATED, "an instance refresh");
  const min = integer(params, "MinHealthyPercentage", PERCENT);
  const max = integer(params, "MaxHealthyPercentage", MOST_PERCENT);
  if (max !== undefined && min === undefined)
    throw validationError("MinHealthyPercentage must be specified when MaxHealthyPercentage is specified");
  if (max !== undefined && min !== undefined && max - min > 100)
    throw validationError("The difference between MaxHealthyPercentage and MinHealthyPercentage cannot exceed 100");
  return {
    minHealthyPercentage: min ?? DEFAULTS.minHealthyPercentage,
    ...(max === undefined ? {} : { maxHealthyPercentage: max }),
    instanceWarmupSeconds: integer(params, "InstanceWarmup", SECONDS) ?? group.warmupSeconds,
    skipMatching: text(params, "SkipMatching") === "true",
    standbyInstances: oneOf(params, "StandbyInstances", STANDBY) ?? "Wait",
    scaleInProtectedInstances: oneOf(params, "ScaleInProtectedInstances", PROTECTED) ?? "Wait",
    ...readCheckpoints(params),
    bakeSeconds: integer(params, "BakeTime", PAUSE_SECONDS) ?? 0,
  };
}

function readCheckpoints(params: Params): Pick<RefreshPreferences, "checkpointPercentages" | "checkpointDelaySeconds"> {
  const percentages = (texts(params, "CheckpointPercentages") ?? []).map((value) =>
    integer({ CheckpointPercentages: value }, "CheckpointPercentages", [1, 100]),
  ) as number[];
  const delay = integer(params, "CheckpointDelay", PAUSE_SECONDS);
  if (delay !== undefined && percentages.length === 0)
    throw validationError("CheckpointPercentages must be specified when CheckpointDelay is specified");
  if (percentages.some((percentage, index) => index > 0 && percentage <= (percentages[index - 1] ?? 0)))
    throw validationError("The checkpoint percentages must be unique, and in ascending order");
  return {
    checkpointPercentages: percentages,
    checkpointDelaySeconds: delay ?? DEFAULTS.checkpointDelaySeconds,
  };
}

/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html */
function checkImages(desired: LaunchConfiguration | undefined): void {
  const policy = desired?.["MixedInstancesPolicy"] as LaunchConfiguration | undefined;
  const template = policy?.["LaunchTemplate"] as LaunchConfiguration | undefined;
  const overrides = (template?.["Overrides"] as LaunchConfiguration | undefined)?.["member"] as
    | readonly LaunchConfiguration[]
    | undefined;
  if (overrides?.every(({ ImageId }) => ImageId !== undefined)) return;
  throw validationError(
    "The strategy ReplaceRootVolume needs a desired configuration with a mixed instances policy whose overrides all specify an ImageId",
  );
}

function refreshXml(refresh: InstanceRefresh, { name }: AutoScalingGroup): XmlFields {
  const { preferences, rollback, endedAt } = refresh;
  const checkpoints = preferences.checkpointPercentages;
  return {
    InstanceRefreshId: refresh.id,
    AutoScalingGroupName: name,
    Status: refresh.status,
    StatusReason: refresh.statusReason,
    StartTime: isoTime(refresh.startedAt),
    EndTime: endedAt === undefined ? undefined : isoTime(endedAt),
    PercentageComplete: refresh.percentage,
    InstancesToUpdate: refresh.instancesToUpdate,
    Preferences: {
      MinHealthyPercentage: preferences.minHealthyPercentage,
      MaxHealthyPercentage: preferences.maxHealthyPercentage,
      InstanceWarmup: preferences.instanceWarmupSeconds,
      ...(checkpoints.length === 0
        ? {}
        : {
            CheckpointPercentages: { member: checkpoints },
            CheckpointDelay: preferences.checkpointDelaySeconds,
          }),
      SkipMatching: preferences.skipMatching,
      AutoRollback: false,
      ScaleInProtectedInstances: preferences.scaleInProtectedInstances,
      StandbyInstances: preferences.standbyInstances,
      BakeTime: preferences.bakeSeconds,
    },
    DesiredConfiguration: refresh.desired,
    ...(rollback === undefined
      ? {}
      : {
          RollbackDetails: {
            RollbackReason: "A rollback was requested by a user.",
            RollbackStartTime: isoTime(rollback.startedAt),
            PercentageCompleteOnRollback: rollback.percentage,
            InstancesToUpdateOnRollback: rollback.instancesToUpdate,
          },
        }),
    Strategy: refresh.strategy,
  };
}
