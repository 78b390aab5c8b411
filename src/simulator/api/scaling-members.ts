import { missingParameter, validationError } from "../aws-error.ts";
import type { AutoScalingGroup, Member } from "../world/auto-scaling-group.ts";
import type { Instance } from "../world/instance.ts";
import type { ScalingActivity } from "../world/scaling-activity.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { atMost, type Bounds, type Params, requiredInteger, requiredText, text, texts } from "./params.ts";
import { begunActivityXml, describeScalingActivities } from "./scaling-activities.ts";
import { checkGrowing, checkShrinking, memberNamed, namedGroup } from "./scaling-groups.ts";
import type { XmlFields } from "./xml.ts";

const INSTANCES_PER_CALL_MAX = 20;
const CAPACITY: Bounds = [0, Number.MAX_SAFE_INTEGER];

/** The members of a group, and whether they are in service. */
export const scalingMemberActions: ApiActions = {
  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html */
  SetDesiredCapacity(params, world) {
    const group = namedGroup(params, world);
    const desired = requiredInteger(params, "DesiredCapacity", CAPACITY);
    const about = `New SetDesiredCapacity value ${desired} is`;
    if (desired > group.maxSize)
      throw validationError(`${about} above max value ${group.maxSize} for the AutoScalingGroup.`);
    if (desired < group.minSize)
      throw validationError(`${about} below min value ${group.minSize} for the AutoScalingGroup.`);
    world.scaling.setCapacity(group, desired, world.clock.now());
    world.catchUp();
    return undefined;
  },

  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnterStandby.html */
  EnterStandby(params, world) {
    return leave(params, world, {
      from: ["InService"],
      change: (group, instance, how) => world.scaling.enterStandby(group, instance, world.clock.now(), how),
    });
  },

  /**
   * The desired capacity rises by their number.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ExitStandby.html
   */
  ExitStandby(params, world) {
    const group = namedGroup(params, world);
    const members = named(params, group, world, ["Standby"]);
    checkGrowing(group, members.length);
    return changed(group, members, world, ({ instance }) => {
      const growth = resize(group, 1);
      return world.scaling.exitStandby(group, instance, world.clock.now(), growth);
    });
  },

  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DetachInstances.html */
  DetachInstances(params, world) {
    return leave(params, world, {
      from: ["InService", "Standby"],
      change: (group, instance, how) => world.scaling.detach(group, instance, world.clock.now(), how),
    });
  },

  /**
   * The desired capacity rises by their number.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AttachInstances.html
   */
  AttachInstances(params, world) {
    const group = namedGroup(params, world);
    const instances = instanceIds(params).map((id) => attachable(id, group, world));
    checkGrowing(group, instances.length);
    group.desiredCapacity += instances.length;
    for (const instance of instances) world.scaling.attach(group, instance, world.clock.now());
    world.catchUp();
    return undefined;
  },

  /**
   * An unhealthy member in service is terminated, and replaced if the group launches. By default one that was launched
   * within the grace period is not terminated.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceHealth.html
   */
  SetInstanceHealth(params, world) {
    const id = requiredText(params, "InstanceId");
    const status = requiredText(params, "HealthStatus");
    if (status !== "Healthy" && status !== "Unhealthy")
      throw validationError(`Health status '${status}' is not valid: use Healthy or Unhealthy`);
    const { group, member } = memberNamed(id, world);
    if (status === "Healthy") {
      group.unhealthy.delete(id);
      return undefined;
    }
    const isSpared = text(params, "ShouldRespectGracePeriod") !== "false";
    const graceEndsAt = member.instance.runsFrom(world.timing) + group.healthCheckGraceSeconds * 1_000;
    if (isSpared && world.clock.now() < graceEndsAt) return undefined;
    group.unhealthy.add(id);
    if (member.lifecycleState === "InService")
      world.beginScaleIn(group, member.instance, "in response to a user health-check");
    return undefined;
  },

  DescribeScalingActivities: describeScalingActivities,
};

function leave(
  params: Params,
  world: World,
  {
    from,
    change,
  }: {
    readonly from: readonly string[];
    readonly change: (group: AutoScalingGroup, instance: Instance, how: string) => ScalingActivity;
  },
): XmlFields {
  const group = namedGroup(params, world);
  const members = named(params, group, world, from);
  const shrinks = requiredText(params, "ShouldDecrementDesiredCapacity") === "true";
  // Members in Standby are not part of the capacity.
  const counts = ({ lifecycleState }: Member) => shrinks && lifecycleState === "InService";
  checkShrinking(group, members.filter(counts).length);
  return changed(group, members, world, (member) =>
    change(group, member.instance, counts(member) ? resize(group, -1) : ""),
  );
}

/** Changes the desired capacity. Returns how, as the causes of activities say it. */
function resize(group: AutoScalingGroup, by: 1 | -1): string {
  const before = group.desiredCapacity;
  group.desiredCapacity += by;
  return `, ${by > 0 ? "increasing" : "shrinking"} the capacity from ${before} to ${group.desiredCapacity}`;
}

function changed(
  group: AutoScalingGroup,
  members: readonly Member[],
  world: World,
  change: (member: Member) => ScalingActivity,
): XmlFields {
  const activities = members.map((member) => begunActivityXml(change(member), group, world));
  world.catchUp();
  return { Activities: { member: activities } };
}

function instanceIds(params: Params): readonly string[] {
  const ids = texts(params, "InstanceIds");
  if (ids === undefined) throw missingParameter("InstanceIds");
  return [...new Set(atMost(ids, INSTANCES_PER_CALL_MAX, "instanceIds"))];
}

/** The members in the call, each of which must be in one of these states. */
function named(params: Params, group: AutoScalingGroup, world: World, states: readonly string[]): readonly Member[] {
  const members = group.members(world.clock.now());
  return instanceIds(params).map((id) => {
    const member = members.find(({ instance }) => instance.id === id);
    if (member === undefined)
      throw validationError(`The instance ${id} is not part of Auto Scaling group ${group.name}.`);
    if (!states.includes(member.lifecycleState))
      throw validationError(`The instance ${id} is not in ${states.join(" or ")}.`);
    return member;
  });
}

/** It must run in a zone of the group, and be in no group. */
function attachable(id: string, group: AutoScalingGroup, world: World): Instance {
  const instance = world.instance(id);
  if (instance === undefined) throw validationError(`Invalid Instance ID(s): [${id}] specified`);
  const now = world.clock.now();
  const owner = [...world.autoScalingGroups.values()].find((each) =>
    each.members(now).some((member) => member.instance === instance),
  );
  if (owner !== undefined)
    throw validationError(
      `Instance ${id} is already part of AutoScalingGroup:${owner.name}, so it cannot be attached.`,
    );
  if (!world.isRunning(id)) throw validationError(`Instance ${id} is not in the running state`);
  if (!group.zones.includes(instance.zone))
    throw validationError(
      `The availability zone ${instance.zone} of instance ${id} is not one of AutoScalingGroup ${group.name}`,
    );
  return instance;
}
