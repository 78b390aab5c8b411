import { AwsError, missingParameter, validationError } from "../aws-error.ts";
import type { AutoScalingGroup, Member } from "../world/auto-scaling-group.ts";
import type { LifecycleAction } from "../world/lifecycle-action.ts";
import { subnetIdOf } from "../world/networks.ts";
import type { ScaleIn } from "../world/scale-in.ts";
import type { World } from "../world/world.ts";
import { type ApiActions, isoTime } from "./action.ts";
import { instanceRefreshActions } from "./instance-refreshes.ts";
import { templateOf } from "./launch-configurations.ts";
import { recordsOf } from "./paging.ts";
import { atMost, type Params, requiredText, structures, text, texts } from "./params.ts";
import { activityXml } from "./scaling-activities.ts";
import { scalingGroupActions } from "./scaling-group-changes.ts";
import { checkShrinking, type MemberOf, memberNamed, namedGroup } from "./scaling-groups.ts";
import { scalingHookActions } from "./scaling-hooks.ts";
import { scalingMemberActions } from "./scaling-members.ts";
import { scalingPoolActions } from "./scaling-pools.ts";
import { scalingTagActions } from "./scaling-tags.ts";
import type { XmlFields } from "./xml.ts";

const RECORDS_PER_PAGE = 50;
const GROUPS_PER_PAGE_MAX = 100;
const NAMES_PER_CALL_MAX = 50;
const TERMINATIONS_PER_CALL_MAX = 100;
const TAGS_PER_PAGE_MAX = 100;
const TOKEN_LENGTH = 36;
/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html */
const SERVICE_LINKED_ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";

/** The actions of Auto Scaling 2011-01-01 that draining needs, and those that change the members of a group. */
export const autoScalingActions: ApiActions = {
  DescribeAutoScalingGroups(params, world) {
    const names = texts(params, "AutoScalingGroupNames");
    const namesMax = Math.max(NAMES_PER_CALL_MAX, Number(text(params, "MaxRecords") ?? 0));
    if (names !== undefined && names.length > namesMax) {
      throw validationError(`The number of group names that may be passed in is limited to ${namesMax}`);
    }
    const wanted = (structures(params, "Filters") ?? []).map(filter);
    const chosen = [...world.autoScalingGroups.values()].filter(
      (group) => (names?.includes(group.name) ?? true) && wanted.every((matches) => matches(group)),
    );
    const pages = { byDefault: RECORDS_PER_PAGE, max: GROUPS_PER_PAGE_MAX };
    const { items, nextToken } = recordsOf(chosen, params, pages);
    const withInstances = text(params, "IncludeInstances") !== "false";
    return {
      AutoScalingGroups: { member: items.map((group) => groupXml(group, world, withInstances)) },
      NextToken: nextToken,
    };
  },

  /** Unknown ids are ignored, as on AWS. */
  DescribeAutoScalingInstances(params, world) {
    const ids = texts(params, "InstanceIds");
    if (ids !== undefined && ids.length > RECORDS_PER_PAGE) {
      throw validationError(`The number of instance ids that may be passed in is limited to ${RECORDS_PER_PAGE}`);
    }
    const all = [...world.autoScalingGroups.values()].flatMap((group) =>
      group.members(world.clock.now()).map((member) => ({ group, member })),
    );
    const chosen = all.filter(({ member }) => ids?.includes(member.instance.id) ?? true);
    const pages = { byDefault: RECORDS_PER_PAGE, max: RECORDS_PER_PAGE };
    const { items, nextToken } = recordsOf(chosen, params, pages);
    return {
      AutoScalingInstances: {
        member: items.map(({ group, member }) => ({
          ...memberXml(member, group, world),
          AutoScalingGroupName: group.name,
          // Only this action has it in capitals.
          HealthStatus: isHealthy(member, group, world) ? "HEALTHY" : "UNHEALTHY",
        })),
      },
      NextToken: nextToken,
    };
  },

  CompleteLifecycleAction(params, world) {
    const result = requiredText(params, "LifecycleActionResult");
    if (result !== "CONTINUE" && result !== "ABANDON") {
      throw validationError(`Lifecycle action result '${result}' is not valid: use CONTINUE or ABANDON`);
    }
    const { scaleIn, action } = activeAction(params, world);
    action.complete(result, world.clock.now());
    world.scaleInChanged(scaleIn);
    return {};
  },

  RecordLifecycleActionHeartbeat(params, world) {
    const { scaleIn, action } = activeAction(params, world);
    action.heartbeat(world.clock.now());
    world.scaleInChanged(scaleIn);
    return {};
  },

  TerminateInstanceInAutoScalingGroup(params, world) {
    const id = text(params, "InstanceId");
    const ids = id === undefined ? texts(params, "InstanceIds") : [id];
    if (ids === undefined) throw missingParameter("InstanceId");
    atMost(ids, TERMINATIONS_PER_CALL_MAX, "instanceIds");
    const group = id === undefined ? namedGroup(params, world) : undefined;
    const shrinks = requiredText(params, "ShouldDecrementDesiredCapacity") === "true";
    const leaving = [...new Set(ids)].map((each) => memberToTerminate(each, world, group));
    if (shrinks) {
      const counted = leaving.filter(({ group, member }) => group.scaleInOf(member.instance.id) === undefined);
      for (const group of new Set(counted.map((each) => each.group)))
        checkShrinking(group, counted.filter((each) => each.group === group).length);
    }
    const activities = leaving.map((each) => terminate(each, shrinks, world));
    return id === undefined ? { Activities: { member: activities } } : { Activity: activities[0] };
  },

  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeTags.html */
  DescribeTags(params, world) {
    const wanted = (structures(params, "Filters") ?? []).map(tagFilter);
    const all = [...world.autoScalingGroups.values()].flatMap((group) => tagsXml(group));
    const chosen = all.filter((tag) => wanted.every((matches) => matches(tag)));
    const pages = { byDefault: RECORDS_PER_PAGE, max: TAGS_PER_PAGE_MAX };
    const { items, nextToken } = recordsOf(chosen, params, pages);
    return { Tags: { member: items }, NextToken: nextToken };
  },

  ...scalingHookActions,
  ...scalingMemberActions,
  ...scalingPoolActions,
  ...scalingTagActions,
  ...instanceRefreshActions,
  ...scalingGroupActions,
};

/**
 * The action that a call names by token or instance, or by both. An action that has ended is as unknown as one that
 * never existed.
 */
function activeAction(params: Params, world: World): { readonly scaleIn: ScaleIn; readonly action: LifecycleAction } {
  const hookName = requiredText(params, "LifecycleHookName");
  const token = text(params, "LifecycleActionToken");
  const instanceId = text(params, "InstanceId");
  const group = namedGroup(params, world);
  if (token === undefined && instanceId === undefined) {
    throw validationError("Either a lifecycle action token or an instance ID must be specified");
  }
  if (token !== undefined && token.length !== TOKEN_LENGTH) {
    throw validationError(`The lifecycle action token '${token}' must have a length of ${TOKEN_LENGTH}`);
  }
  const found = group.scaleIns
    .filter((scaleIn) => scaleIn.instanceId === (instanceId ?? scaleIn.instanceId))
    .flatMap((scaleIn) => scaleIn.activeActions(world.clock.now()).map((action) => ({ scaleIn, action })))
    .find(({ action }) => action.hook.name === hookName && action.token === (token ?? action.token));
  if (found === undefined) {
    const subject = token === undefined ? `instance ID ${instanceId}` : `token ${token}`;
    throw validationError(`No active Lifecycle Action found with ${subject}`);
  }
  return found;
}

function memberToTerminate(id: string, world: World, only: AutoScalingGroup | undefined): MemberOf {
  const found = memberNamed(id, world, only);
  const scaleIn = found.group.scaleInOf(id);
  if (scaleIn === undefined || scaleIn.hasRetainedBy(world.clock.now())) return found;
  throw new AwsError(
    "ScalingActivityInProgress",
    `Scaling activity ${scaleIn.activityId} is in progress and blocks this action`,
  );
}

function terminate({ group, member }: MemberOf, shrinks: boolean, world: World): XmlFields {
  const retained = group.scaleInOf(member.instance.id);
  if (retained !== undefined) {
    // It has passed its hooks, and is not part of the capacity.
    world.terminateInstance(member.instance);
    return activityOf(retained, group, world);
  }
  const before = group.desiredCapacity;
  if (shrinks) group.desiredCapacity -= 1;
  const shrinking = shrinks ? `, shrinking the capacity from ${before} to ${before - 1}` : "";
  const reason = `in response to a user request${shrinking}`;
  return activityOf(world.beginScaleIn(group, member.instance, reason), group, world);
}

function activityOf({ activityId }: ScaleIn, group: AutoScalingGroup, world: World): XmlFields {
  const activity = group.activities.asOf(world.clock.now()).findLast(({ id }) => id === activityId);
  return activity === undefined ? {} : activityXml(activity, group, world);
}

function filter(params: Params): (group: AutoScalingGroup) => boolean {
  const name = text(params, "Name") ?? "";
  const values = texts(params, "Values") ?? [];
  if (name === "tag-key") return ({ tags }) => values.some((value) => tags.has(value));
  if (name === "tag-value") return ({ tags }) => [...tags.values()].some((value) => values.includes(value));
  if (name.startsWith("tag:")) {
    const key = name.slice("tag:".length);
    return ({ tags }) => values.includes(tags.get(key) ?? "") && tags.has(key);
  }
  throw validationError(`Filter type ${name} is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>`);
}

type TagXml = ReturnType<typeof tagsXml>[number];

/** A tag's filter matches by any of its values. */
function tagFilter(params: Params): (tag: TagXml) => boolean {
  const name = text(params, "Name") ?? "";
  const values = texts(params, "Values") ?? [];
  switch (name) {
    case "auto-scaling-group":
      return ({ ResourceId }) => values.includes(ResourceId);
    case "key":
      return ({ Key }) => values.includes(Key);
    case "value":
      return ({ Value }) => values.includes(Value);
    case "propagate-at-launch":
      return ({ PropagateAtLaunch }) => values.includes(String(PropagateAtLaunch));
    default:
      throw validationError(
        `Filter type ${name} is not correct. Allowed Filter types are: auto-scaling-group, key, value, propagate-at-launch`,
      );
  }
}

function tagsXml({ name, tags, ownTags }: AutoScalingGroup) {
  return [...tags].map(([Key, Value]) => ({
    ResourceId: name,
    ResourceType: "auto-scaling-group",
    Key,
    Value,
    PropagateAtLaunch: !ownTags.has(Key),
  }));
}

function isHealthy({ instance }: Member, { unhealthy }: AutoScalingGroup, world: World): boolean {
  return world.isRunning(instance.id) && !unhealthy.has(instance.id);
}

function memberXml(member: Member, group: AutoScalingGroup, world: World): XmlFields {
  return {
    InstanceId: member.instance.id,
    InstanceType: "m7g.large",
    AvailabilityZone: member.instance.zone,
    LifecycleState: member.lifecycleState,
    HealthStatus: isHealthy(member, group, world) ? "Healthy" : "Unhealthy",
    LaunchTemplate: templateOf(group.configurationOf(member.instance.id)),
    ProtectedFromScaleIn: false,
  };
}

function groupXml(group: AutoScalingGroup, world: World, withInstances: boolean): XmlFields {
  const { name, targetGroups, classics, vpcId } = group;
  const sources = [
    ...targetGroups.map(({ arn }) => ({ Identifier: arn, Type: "elbv2" })),
    ...classics.map((classic) => ({ Identifier: classic.name, Type: "elb" })),
  ];
  const members = withInstances ? group.members(world.clock.now()) : [];
  return {
    AutoScalingGroupName: name,
    AutoScalingGroupARN: group.arn,
    ...group.configuration,
    MinSize: group.minSize,
    MaxSize: group.maxSize,
    DesiredCapacity: group.desiredCapacity,
    DefaultCooldown: group.cooldownSeconds,
    AvailabilityZones: { member: group.zones },
    LoadBalancerNames: { member: classics.map((classic) => classic.name) },
    TargetGroupARNs: { member: targetGroups.map(({ arn }) => arn) },
    HealthCheckType: "EC2",
    HealthCheckGracePeriod: group.healthCheckGraceSeconds,
    DefaultInstanceWarmup: group.defaultWarmupSeconds,
    Instances: { member: members.map((member) => memberXml(member, group, world)) },
    CreatedTime: isoTime(group.createdAt),
    SuspendedProcesses: { member: [] },
    EnabledMetrics: { member: [] },
    PlacementGroup: group.placementGroup,
    VPCZoneIdentifier: vpcId && group.zones.map((zone) => subnetIdOf(vpcId, zone)).join(","),
    ServiceLinkedRoleARN: group.serviceLinkedRoleArn ?? world.arn("iam", SERVICE_LINKED_ROLE),
    Tags: { member: tagsXml(group) },
    Context: group.context,
    TerminationPolicies: { member: ["Default"] },
    NewInstancesProtectedFromScaleIn: false,
    ...(group.retainsAbandoned
      ? { InstanceLifecyclePolicy: { RetentionTriggers: { TerminateHookAbandon: "retain" } } }
      : {}),
    TrafficSources: { member: sources },
  };
}
