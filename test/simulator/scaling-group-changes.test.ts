import {
  CompleteLifecycleActionCommand,
  CreateAutoScalingGroupCommand,
  type CreateAutoScalingGroupCommandInput,
  DeleteAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeScalingActivitiesCommand,
  type DescribeScalingActivitiesCommandInput,
  StartInstanceRefreshCommand,
  TerminateInstanceInAutoScalingGroupCommand,
  UpdateAutoScalingGroupCommand,
  type UpdateAutoScalingGroupCommandInput,
} from "@aws-sdk/client-auto-scaling";
import { describe, expect, test } from "vitest";
import { catchUpOnTime } from "../../src/simulator/world/world.ts";
import { never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const SECOND_MS = 1_000;
const AutoScalingGroupName = "made";
const LaunchTemplate = { LaunchTemplateName: "nodes", Version: "1" };
const VPCZoneIdentifier = ["a", "b"].map((letter) => `subnet-${VPC}-eu-west-1${letter}`).join(",");
const RETAIN = { RetentionTriggers: { TerminateHookAbandon: "retain" as const } };
const HOOK = {
  LifecycleHookName: "drain",
  LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
  HeartbeatTimeout: 60,
};

const MAINTENANCE = { MinHealthyPercentage: 100, MaxHealthyPercentage: 200 };
const RESERVED = { CapacityReservationPreference: "capacity-reservations-only" as const };
const BALANCED_ONLY = { CapacityDistributionStrategy: "balanced-only" as const };

/** A group of two in two zones, behind an ALB. */
function scene() {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const web = region.group({ name: "web", delaySeconds: 0 });
  catchUpOnTime(world, never);
  const { scaling } = oneAttempt(region);
  const create = (input: Partial<CreateAutoScalingGroupCommandInput> = {}) =>
    scaling.send(
      new CreateAutoScalingGroupCommand({
        AutoScalingGroupName,
        MinSize: 1,
        MaxSize: 4,
        DesiredCapacity: 2,
        LaunchTemplate,
        VPCZoneIdentifier,
        TargetGroupARNs: [web.arn],
        LifecycleHookSpecificationList: [HOOK],
        Tags: [{ Key: "team", Value: "web", PropagateAtLaunch: true }],
        ...input,
      }),
    );
  const update = (input: Partial<UpdateAutoScalingGroupCommandInput>) =>
    scaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName, ...input }));
  const remove = (ForceDelete = false) =>
    scaling.send(new DeleteAutoScalingGroupCommand({ AutoScalingGroupName, ForceDelete }));
  const described = async () => {
    const { AutoScalingGroups } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    return AutoScalingGroups?.[0];
  };
  const states = async () => (await described())?.Instances?.map(({ LifecycleState }) => LifecycleState) ?? [];
  return { region, world, clock, web, scaling, create, update, remove, described, states };
}

// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
describe("CreateAutoScalingGroup", () => {
  test("makes a group that launches in its zones, registers its machines, and is described as it was made", async () => {
    const { clock, world, web, create, described, states } = scene();
    await create({ DefaultInstanceWarmup: 60, InstanceLifecyclePolicy: RETAIN });
    expect(await states()).toEqual([]);
    await clock.advance(10 * SECOND_MS);
    expect(await states()).toEqual(["Pending", "Pending"]);
    await clock.advance(5 * SECOND_MS);
    const group = await described();
    expect(group).toMatchObject({
      MinSize: 1,
      MaxSize: 4,
      DesiredCapacity: 2,
      LaunchTemplate,
      DefaultInstanceWarmup: 60,
      InstanceLifecyclePolicy: RETAIN,
      TargetGroupARNs: [web.arn],
    });
    expect(group?.Instances?.map(({ AvailabilityZone }) => AvailabilityZone)).toEqual(["eu-west-1a", "eu-west-1b"]);
    expect(group?.Instances?.map((each) => each.LaunchTemplate?.Version)).toEqual(["1", "1"]);
    expect(web.listed(clock.now())).toHaveLength(2);
    const [first] = group?.Instances ?? [];
    expect(world.instance(first?.InstanceId ?? "")?.tags.get("team")).toBe("web");
  });

  test("makes a group with the subnets and the role of the call, or AWS's own role, also after its members have gone", async () => {
    const { create, update, described } = scene();
    const path =
      "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    await create({ DesiredCapacity: 1 });
    expect(await described()).toMatchObject({ VPCZoneIdentifier, ServiceLinkedRoleARN: path });
    await update({ ServiceLinkedRoleARN: `${path}_own`, MinSize: 0, DesiredCapacity: 0 });
    expect(await described()).toMatchObject({ VPCZoneIdentifier, ServiceLinkedRoleARN: `${path}_own` });
  });

  test("launches by an activity that says which request it follows from, and how the capacity changes", async () => {
    const { clock, create, scaling } = scene();
    await create({ DesiredCapacity: 1 });
    await clock.advance(10 * SECOND_MS);
    const { Activities } = await scaling.send(new DescribeScalingActivitiesCommand({}));
    expect(Activities).toMatchObject([
      {
        Cause:
          "At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 1.  " +
          "At 2026-01-01T00:00:10Z an instance was started in response to a difference between desired and actual capacity, " +
          "increasing the capacity from 0 to 1.",
      },
    ]);
  });

  test("with an instance launches others like it", async () => {
    const { region, clock, create, world } = scene();
    const like = region.node({ zone: "eu-west-1c", tags: { like: "this" } });
    await create({ InstanceId: like.id, LaunchTemplate: undefined, VPCZoneIdentifier: undefined, DesiredCapacity: 1 });
    await clock.advance(20 * SECOND_MS);
    const launched = [...world.instances.values()].at(-1);
    expect(launched?.id).not.toBe(like.id);
    expect([launched?.zone, launched?.tags.get("like")]).toEqual(["eu-west-1c", "this"]);
  });

  test("keeps a tag for itself that is not for its machines", async () => {
    const { clock, world, create, described } = scene();
    const own = { Key: "team", Value: "web", PropagateAtLaunch: false };
    await create({ Tags: [own, { Key: "stage", Value: "test", PropagateAtLaunch: true }] });
    await clock.advance(60 * SECOND_MS);
    const group = await described();
    expect(group?.Tags).toMatchObject([own, { Key: "stage", PropagateAtLaunch: true }]);
    const tags = world.instance(group?.Instances?.[0]?.InstanceId ?? "")?.tags;
    expect([tags?.get("team"), tags?.get("stage")]).toEqual([undefined, "test"]);
  });

  test("keeps its cooldown, placement group and context, and takes settings that change nothing", async () => {
    const { create, update, described } = scene();
    await create({
      DefaultCooldown: 60,
      PlacementGroup: "near",
      Context: "context",
      TerminationPolicies: ["Default"],
      InstanceMaintenancePolicy: { MinHealthyPercentage: -1, MaxHealthyPercentage: -1 },
      AvailabilityZoneImpairmentPolicy: { ZonalShiftEnabled: false },
      CapacityReservationSpecification: { CapacityReservationPreference: "default" },
    });
    expect(await described()).toMatchObject({ DefaultCooldown: 60, PlacementGroup: "near", Context: "context" });
    await update({ DefaultCooldown: 0, PlacementGroup: "" });
    expect(await described()).toMatchObject({ DefaultCooldown: 0, Context: "context" });
    expect((await described())?.PlacementGroup).toBeUndefined();
  });

  test.each<[string, Partial<CreateAutoScalingGroupCommandInput>, string]>([
    ["without anything to launch", { LaunchTemplate: undefined }, "ValidationError"],
    ["without subnets", { VPCZoneIdentifier: undefined }, "ValidationError"],
    ["with a template that has no name", { LaunchTemplate: { Version: "1" } }, "ValidationError"],
    ["that wants more than its most", { DesiredCapacity: 5 }, "ValidationError"],
    ["that wants fewer than its least", { DesiredCapacity: 0 }, "ValidationError"],
    ["whose least is more than its most", { MinSize: 5 }, "ValidationError"],
    ["of an instance that is not there", { InstanceId: "i-0dddddddddddddddd" }, "ValidationError"],
    ["of a classic load balancer that is not there", { LoadBalancerNames: ["none"] }, "ValidationError"],
    ["with health checks that are not simulated", { HealthCheckType: "ELB" }, "NotSimulated"],
    ["with a setting that is not simulated", { MaxInstanceLifetime: 86_400 }, "NotSimulated"],
    ["with a maintenance policy", { InstanceMaintenancePolicy: MAINTENANCE }, "NotSimulated"],
    ["with traffic sources", { TrafficSources: [{ Identifier: "arn", Type: "elbv2" }] }, "NotSimulated"],
    ["that uses capacity reservations only", { CapacityReservationSpecification: RESERVED }, "NotSimulated"],
    ["that insists on its zones", { AvailabilityZoneDistribution: BALANCED_ONLY }, "NotSimulated"],
    ["with zonal shifts", { AvailabilityZoneImpairmentPolicy: { ZonalShiftEnabled: true } }, "NotSimulated"],
    ["with a capacity in CPUs", { DesiredCapacityType: "vcpu" }, "NotSimulated"],
    ["with another termination policy", { TerminationPolicies: ["OldestInstance"] }, "NotSimulated"],
  ])("refuses a group %s", async (_, input, name) => {
    const { create, described } = scene();
    await expect(create(input)).rejects.toMatchObject({ name });
    expect(await described()).toBeUndefined();
  });

  test("refuses a name that is taken", async () => {
    const { create } = scene();
    await create();
    await expect(create()).rejects.toMatchObject({ name: "AlreadyExistsFault" });
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html
describe("UpdateAutoScalingGroup", () => {
  test("changes the sizes, and moves the capacity within them", async () => {
    const { clock, create, update, states, described } = scene();
    await create();
    await clock.advance(60 * SECOND_MS);
    await update({ MinSize: 3 });
    await clock.advance(60 * SECOND_MS);
    expect([(await described())?.DesiredCapacity, await states()]).toEqual([3, Array(3).fill("InService")]);
    await update({ MinSize: 0, MaxSize: 1 });
    await clock.advance(600 * SECOND_MS);
    expect([(await described())?.DesiredCapacity, await states()]).toEqual([1, ["InService"]]);
    await expect(update({ DesiredCapacity: 2 })).rejects.toMatchObject({ name: "ValidationError" });
  });

  test("changes the subnets: machines that are launched from then on are in their zones", async () => {
    const { clock, create, update, described } = scene();
    await create();
    await clock.advance(60 * SECOND_MS);
    const subnet = `subnet-${VPC}-eu-west-1c`;
    await update({ VPCZoneIdentifier: subnet, DesiredCapacity: 3 });
    await clock.advance(60 * SECOND_MS);
    expect(await described()).toMatchObject({
      VPCZoneIdentifier: subnet,
      AvailabilityZones: ["eu-west-1c"],
      Instances: [...["a", "b", "c"].map((letter) => ({ AvailabilityZone: `eu-west-1${letter}` }))],
    });
    await expect(update({ InstanceMaintenancePolicy: MAINTENANCE })).rejects.toMatchObject({ name: "NotSimulated" });
    await expect(update({ VPCZoneIdentifier: "subnet-vpc-0aaaaaaaaaaaaaaaa-eu-west-1a" })).rejects.toMatchObject({
      name: "NotSimulated",
    });
  });

  test("changes what the group launches from then on, which a refresh with skip matching replaces", async () => {
    const { clock, create, update, described, scaling } = scene();
    await create({ DefaultInstanceWarmup: 10 });
    await clock.advance(60 * SECOND_MS);
    await update({
      LaunchTemplate: { ...LaunchTemplate, Version: "2" },
      DesiredCapacity: 3,
      DefaultInstanceWarmup: -1,
    });
    await clock.advance(60 * SECOND_MS);
    const versions = async () => (await described())?.Instances?.map((each) => each.LaunchTemplate?.Version);
    expect(await versions()).toEqual(["1", "1", "2"]);
    expect((await described())?.DefaultInstanceWarmup).toBeUndefined();
    const Preferences = { SkipMatching: true, InstanceWarmup: 0 };
    await scaling.send(new StartInstanceRefreshCommand({ AutoScalingGroupName, Preferences }));
    await clock.advance(600 * SECOND_MS);
    expect(await versions()).toEqual(["2", "2", "2"]);
  });

  test("sets the instance lifecycle policy: an abandoned hook then keeps the machine, until a second termination", async () => {
    const { clock, create, update, described, scaling } = scene();
    await create();
    await clock.advance(60 * SECOND_MS);
    await update({ InstanceLifecyclePolicy: RETAIN });
    const InstanceId = (await described())?.Instances?.[0]?.InstanceId ?? "";
    const terminate = () =>
      scaling.send(
        new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity: false }),
      );
    const stateOf = async () =>
      (await described())?.Instances?.find((each) => each.InstanceId === InstanceId)?.LifecycleState;
    await terminate();
    await expect(terminate()).rejects.toMatchObject({ name: "ScalingActivityInProgressFault" });
    await clock.advance(SECOND_MS);
    const about = { AutoScalingGroupName, LifecycleHookName: "drain", InstanceId };
    await scaling.send(new CompleteLifecycleActionCommand({ ...about, LifecycleActionResult: "ABANDON" }));
    await clock.advance(3_600 * SECOND_MS);
    expect(await stateOf()).toBe("Terminating:Retained");
    // It counts for nothing: another one serves in its place.
    expect((await described())?.Instances?.filter(({ LifecycleState }) => LifecycleState === "InService")).toHaveLength(
      2,
    );
    await terminate();
    await clock.advance(5 * SECOND_MS);
    expect(await stateOf()).toBeUndefined();
    await update({ InstanceLifecyclePolicy: { RetentionTriggers: { TerminateHookAbandon: "terminate" } } });
    expect((await described())?.InstanceLifecyclePolicy).toBeUndefined();
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html
describe("DeleteAutoScalingGroup", () => {
  test("is for an empty group, unless it is forced: then its machines go at once", async () => {
    const { clock, create, remove, described, world } = scene();
    await create();
    await clock.advance(60 * SECOND_MS);
    await expect(remove()).rejects.toMatchObject({ name: "ResourceInUseFault" });
    await remove(true);
    await clock.advance(600 * SECOND_MS);
    expect(await described()).toBeUndefined();
    const running = [...world.instances.keys()].filter((id) => world.isRunning(id));
    expect(running).toEqual([]);
  });

  test("leaves the group's activities, for callers who ask for deleted groups", async () => {
    const { clock, create, remove, scaling } = scene();
    await create({ DesiredCapacity: 1 });
    await clock.advance(60 * SECOND_MS);
    await remove(true);
    const activities = async (about: DescribeScalingActivitiesCommandInput) =>
      (await scaling.send(new DescribeScalingActivitiesCommand(about))).Activities;
    expect(await activities({})).toEqual([]);
    const left = [{ AutoScalingGroupName, AutoScalingGroupState: "Deleted", StatusCode: "Successful" }];
    expect(await activities({ IncludeDeletedGroups: true })).toMatchObject(left);
    expect(await activities({ AutoScalingGroupName, IncludeDeletedGroups: true })).toMatchObject(left);
    await expect(activities({ AutoScalingGroupName })).rejects.toMatchObject({ name: "ValidationError" });
    await create({ DesiredCapacity: 1 });
    await clock.advance(60 * SECOND_MS);
    const both = (await activities({ AutoScalingGroupName, IncludeDeletedGroups: true })) ?? [];
    expect(both.map((one) => one.AutoScalingGroupState)).toEqual([undefined, "Deleted"]);
  });
});
