import { AwsError, missingParameter, validationError } from "../aws-error.ts";
import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";
import type { World } from "../world/world.ts";
import { type ApiActions, readTags } from "./action.ts";
import { readConfiguration } from "./launch-configurations.ts";
import {
  type Bounds,
  checkSettings,
  integer,
  type NotSimulated,
  type Params,
  requiredInteger,
  requiredText,
  settingNotSimulated,
  structure,
  structures,
  text,
  texts,
} from "./params.ts";
import { namedGroup, oneOf } from "./scaling-groups.ts";
import { hookFrom } from "./scaling-hooks.ts";
import { setTag } from "./scaling-tags.ts";
import { type Place, placeOfSubnets } from "./subnets.ts";

const NAME = /^[^\p{Cc}:]{1,255}$/u;
const SIZE: Bounds = [0, 10_000];
const SECONDS: Bounds = [0, Number.MAX_SAFE_INTEGER];
/** -1 removes it. */
const WARMUP: Bounds = [-1, Number.MAX_SAFE_INTEGER];
/**
 * From the loss of a member until another one is launched, in a group that was created by a call. AWS documents no
 * time.
 */
const LAUNCH_MS = 10_000;
const RETENTION = ["retain", "terminate"] as const;
const GROUP = "an Auto Scaling group";
/**
 * Parameters that would change how a group behaves, each with the values with which it does not. Other parameters that
 * are not read here are accepted, and have no effect.
 */
const NOT_SIMULATED: NotSimulated = {
  AvailabilityZoneDistribution: ["balanced-best-effort"],
  AvailabilityZoneImpairmentPolicy: ["false", "IgnoreUnhealthy", "ReplaceUnhealthy"],
  CapacityRebalance: ["false"],
  CapacityReservationSpecification: ["default"],
  DeletionProtection: ["none"],
  DesiredCapacityType: ["units"],
  HealthCheckType: ["EC2"],
  // These values remove it.
  InstanceMaintenancePolicy: ["-1"],
  LaunchConfigurationName: [],
  MaxInstanceLifetime: ["0"],
  NewInstancesProtectedFromScaleIn: ["false"],
  Operator: [],
  TerminationPolicies: ["Default"],
  TrafficSources: [],
};

/** Groups themselves. */
export const scalingGroupActions: ApiActions = {
  /**
   * Its machines are like that of `InstanceId`. Launch templates do not exist here, so with one they are plain machines
   * in the given subnets. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
   */
  CreateAutoScalingGroup(params, world) {
    const name = requiredText(params, "AutoScalingGroupName");
    if (!NAME.test(name)) throw validationError(`The Auto Scaling group name '${name}' is not valid`);
    checkSettings(params, NOT_SIMULATED, GROUP);
    if (world.autoScalingGroups.has(name))
      throw new AwsError(
        "AlreadyExists",
        `AutoScalingGroup by this name already exists - A group with the name ${name} already exists`,
      );
    const minSize = requiredInteger(params, "MinSize", SIZE);
    const maxSize = requiredInteger(params, "MaxSize", SIZE);
    const desired = integer(params, "DesiredCapacity", SIZE) ?? minSize;
    checkSizes({ minSize, maxSize, desired });
    const configuration = readConfiguration(params);
    const launches = readLaunches(params, world);
    const hooks = (structures(params, "LifecycleHookSpecificationList") ?? []).map((hook) =>
      hookFrom(hook, requiredText(hook, "LifecycleHookName"), undefined),
    );
    const group = world.addAutoScalingGroup({
      name,
      minSize,
      maxSize,
      desiredCapacity: 0,
      instanceIds: [],
      zones: launches.zones,
      blueprint: launches.blueprint,
      launchMs: LAUNCH_MS,
      targetGroups: (texts(params, "TargetGroupARNs") ?? []).map((arn) => world.targetGroup(arn)),
      classics: (texts(params, "LoadBalancerNames") ?? []).map((one) => classicNamed(one, world)),
      hooks,
    });
    // No key twice.
    readTags(params);
    for (const tag of structures(params, "Tags") ?? []) setTag(group, tag);
    group.configuration = configuration;
    changeSettings(group, params);
    world.scaling.setCapacity(group, desired, world.clock.now(), "created an AutoScalingGroup");
    world.catchUp();
    return undefined;
  },

  /**
   * Missing settings are not changed. In other subnets, only instances that are launched from then on are in the new zones:
   * AWS also moves the group's instances.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
   */
  UpdateAutoScalingGroup(params, world) {
    const group = namedGroup(params, world);
    checkSettings(params, NOT_SIMULATED, GROUP);
    const minSize = integer(params, "MinSize", SIZE) ?? group.minSize;
    const maxSize = integer(params, "MaxSize", SIZE) ?? group.maxSize;
    const given = integer(params, "DesiredCapacity", SIZE);
    // Without a capacity in the call, the old one is moved within the new sizes.
    const desired = given ?? Math.max(minSize, Math.min(maxSize, group.desiredCapacity));
    checkSizes({ minSize, maxSize, desired });
    const configuration = readConfiguration(params);
    const place = readSubnets(params, world);
    if (place !== undefined && place.vpcId !== (group.vpcId ?? place.vpcId))
      throw settingNotSimulated("Another VPC", GROUP);
    changeSettings(group, params);
    group.zones = place?.zones ?? group.zones;
    group.minSize = minSize;
    group.maxSize = maxSize;
    group.configuration = configuration ?? group.configuration;
    if (desired !== group.desiredCapacity) world.scaling.setCapacity(group, desired, world.clock.now());
    world.catchUp();
    return undefined;
  },

  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html */
  DeleteAutoScalingGroup(params, world) {
    const group = namedGroup(params, world);
    const now = world.clock.now();
    if (text(params, "ForceDelete") !== "true" && group.members(now).length > 0)
      throw new AwsError(
        "ResourceInUse",
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.",
      );
    world.scaling.remove(group, now);
    return undefined;
  },
};

function checkSizes({ minSize, maxSize, desired }: Readonly<Record<"minSize" | "maxSize" | "desired", number>>): void {
  if (minSize > maxSize) throw validationError("Max bound, must be greater than or equal to min bound");
  if (desired < minSize || desired > maxSize)
    throw validationError(
      `Desired capacity:${desired} must be between the specified min size:${minSize} and max size:${maxSize}`,
    );
}

function changeSettings(group: AutoScalingGroup, params: Params): void {
  const grace = integer(params, "HealthCheckGracePeriod", SECONDS);
  const warmup = integer(params, "DefaultInstanceWarmup", WARMUP);
  const triggers = structure(structure(params, "InstanceLifecyclePolicy") ?? {}, "RetentionTriggers");
  const onAbandon = triggers === undefined ? undefined : oneOf(triggers, "TerminateHookAbandon", RETENTION);
  const cooldown = integer(params, "DefaultCooldown", SECONDS);
  const placement = text(params, "PlacementGroup");
  const context = text(params, "Context");
  const role = text(params, "ServiceLinkedRoleARN");
  if (role !== undefined) group.serviceLinkedRoleArn = role;
  if (grace !== undefined) group.healthCheckGraceSeconds = grace;
  if (warmup !== undefined) group.defaultWarmupSeconds = warmup === -1 ? undefined : warmup;
  if (cooldown !== undefined) group.cooldownSeconds = cooldown;
  // An empty name removes it.
  if (placement !== undefined) group.placementGroup = placement === "" ? undefined : placement;
  if (context !== undefined) group.context = context;
  if (onAbandon !== undefined) group.retainsAbandoned = onAbandon === "retain";
}

function readLaunches(params: Params, world: World) {
  const id = text(params, "InstanceId");
  if (id !== undefined) {
    const instance = world.instance(id);
    if (instance === undefined) throw validationError(`Invalid Instance ID: ${id}`);
    const { vpcId, zone, isSpot } = instance;
    return { zones: [zone], blueprint: { vpcId, tags: new Map(instance.tags), isSpot } };
  }
  if (readConfiguration(params) === undefined)
    throw validationError(
      "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.",
    );
  const place = readSubnets(params, world);
  if (place === undefined) throw missingParameter("VPCZoneIdentifier");
  const { vpcId, zones } = place;
  // The group's own tags are copied at each launch.
  return { zones, blueprint: { vpcId, tags: new Map<string, string>(), isSpot: false } };
}

/** The place of the group's subnets. Undefined if the call has none. */
function readSubnets(params: Params, { region }: World): Pick<Place, "vpcId" | "zones"> | undefined {
  const subnets = text(params, "VPCZoneIdentifier")?.split(",") ?? [];
  if (subnets.length === 0) return undefined;
  const member = Object.fromEntries(subnets.map((subnet, index) => [String(index + 1), subnet.trim()]));
  return placeOfSubnets({ Subnets: { member } }, region);
}

function classicNamed(name: string, world: World) {
  const classic = world.classics.get(name);
  if (classic === undefined)
    throw validationError(`Provided Load Balancers may not be valid. Please ensure they exist and try again.`);
  return classic;
}
