import {
  AttachInstancesCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeLoadBalancersCommand,
  DescribeLoadBalancerTargetGroupsCommand,
  DescribeScalingActivitiesCommand,
  type DescribeScalingActivitiesCommandInput,
  DescribeTagsCommand,
  DescribeTrafficSourcesCommand,
  DetachInstancesCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  SetDesiredCapacityCommand,
  SetInstanceHealthCommand,
} from "@aws-sdk/client-auto-scaling";
import { describe, expect, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const SECOND_MS = 1_000;
const LAUNCH_MS = 20 * SECOND_MS;
const DELAY_SECONDS = 30;
const AutoScalingGroupName = "workers";

/** The group `workers` of two nodes in one zone and one in another, with pools of its own; 2 to 4 instances. */
function scene({ launches = true } = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = ["a", "a", "b"].map((letter) => region.node({ zone: `eu-west-1${letter}` }));
  const [first, second, third] = nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error("there are three");
  const own = region.group({ name: "own", nodes, delaySeconds: DELAY_SECONDS });
  const classic = region.classic({ name: "old", nodes });
  const workers = world.addAutoScalingGroup({
    name: AutoScalingGroupName,
    instanceIds: nodes.map(({ id }) => id),
    minSize: 2,
    maxSize: 4,
    targetGroups: [own],
    classics: [classic],
    ...(launches && { launchMs: LAUNCH_MS }),
  });
  const { scaling } = oneAttempt(region);

  const described = async () => {
    const { AutoScalingGroups: [group] = [] } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    return group;
  };
  const states = async () => {
    const { AutoScalingInstances = [] } = await scaling.send(new DescribeAutoScalingInstancesCommand({}));
    return Object.fromEntries(
      AutoScalingInstances.map(({ InstanceId, LifecycleState }) => [InstanceId, LifecycleState]),
    );
  };
  const activities = async (input: DescribeScalingActivitiesCommandInput = {}) =>
    (await scaling.send(new DescribeScalingActivitiesCommand(input))).Activities ?? [];
  const stateIn = (id: string) => {
    const target = own.named({ id }, clock.now());
    return target && own.apiHealth(target, clock.now()).state;
  };
  const standby = (ShouldDecrementDesiredCapacity: boolean, ...InstanceIds: string[]) =>
    scaling.send(new EnterStandbyCommand({ AutoScalingGroupName, InstanceIds, ShouldDecrementDesiredCapacity }));
  const exit = (...InstanceIds: string[]) =>
    scaling.send(new ExitStandbyCommand({ AutoScalingGroupName, InstanceIds }));
  const detach = (ShouldDecrementDesiredCapacity: boolean, ...InstanceIds: string[]) =>
    scaling.send(new DetachInstancesCommand({ AutoScalingGroupName, InstanceIds, ShouldDecrementDesiredCapacity }));
  const attach = (...InstanceIds: string[]) =>
    scaling.send(new AttachInstancesCommand({ AutoScalingGroupName, InstanceIds }));
  const resize = (DesiredCapacity: number) =>
    scaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity }));
  const pools = { own, classic, stateIn };
  const calls = { standby, exit, detach, attach, resize, states, activities, described };
  return { region, world, clock, scaling, workers, first, second, third, ...pools, ...calls };
}

const refused = (message: RegExp) => ({ Code: "ValidationError", message: expect.stringMatching(message) });

// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
describe("an instance in Standby", () => {
  test("has left the pools of its group, still is a member, and serves again after it", async () => {
    const { clock, first, classic, stateIn, standby, exit, states, described } = scene();
    const { Activities } = await standby(true, first.id);
    expect(Activities).toMatchObject([
      { Description: `Moving EC2 instance to Standby: ${first.id}`, StatusCode: "WaitingForELBConnectionDraining" },
    ]);
    expect(await states()).toMatchObject({ [first.id]: "EnteringStandby" });
    expect([stateIn(first.id), classic.isRegistered(first.id)]).toEqual(["draining", false]);
    await clock.advance(DELAY_SECONDS * SECOND_MS);
    expect(await states()).toMatchObject({ [first.id]: "Standby" });
    expect(await described()).toMatchObject({ DesiredCapacity: 2 });
    await clock.advance(10 * LAUNCH_MS);
    expect(Object.keys(await states())).toHaveLength(3);

    await exit(first.id);
    expect(await states()).toMatchObject({ [first.id]: "InService" });
    expect([stateIn(first.id), classic.isRegistered(first.id)]).toEqual(["initial", true]);
    expect(await described()).toMatchObject({ DesiredCapacity: 3 });
  });

  test("is moved by an activity that is not over when the call is answered, and says how the capacity changes", async () => {
    const { clock, first, second, standby, exit, activities } = scene();
    const at = (date: Date | undefined) => `At ${date?.toISOString().replace(".000", "")} instance ${first.id}`;
    const [entering] = (await standby(true, first.id)).Activities ?? [];
    expect(entering).toMatchObject({
      Cause: `${at(entering?.StartTime)} was moved to standby in response to a user request, shrinking the capacity from 3 to 2.`,
      Progress: 50,
    });
    await clock.advance(DELAY_SECONDS * SECOND_MS);
    const [leaving] = (await exit(first.id)).Activities ?? [];
    expect(leaving).toMatchObject({
      Cause: `${at(leaving?.StartTime)} was moved out of standby in response to a user request, increasing the capacity from 2 to 3.`,
      StatusCode: "PreInService",
      Progress: 30,
    });
    expect(leaving?.EndTime).toBeUndefined();
    expect(await activities()).toMatchObject([
      { StatusCode: "Successful", Progress: 100 },
      { StatusCode: "Successful" },
    ]);
    const [kept] = (await standby(false, second.id)).Activities ?? [];
    expect(kept?.Cause).toMatch(/was moved to standby in response to a user request\.$/);
  });

  test("is replaced where the group still wants as many", async () => {
    const { clock, first, standby, states, described } = scene();
    await standby(false, first.id);
    await clock.advance(LAUNCH_MS + 60 * SECOND_MS);
    expect(Object.values(await states()).sort()).toEqual(["InService", "InService", "InService", "Standby"]);
    expect(await described()).toMatchObject({ DesiredCapacity: 3 });
  });

  test("may be switched off without a health check, and is replaced if it comes back so", async () => {
    const { world, clock, first, standby, exit, states } = scene();
    await standby(true, first.id);
    await clock.advance(DELAY_SECONDS * SECOND_MS);
    world.stopInstance(first);
    await clock.advance(60 * SECOND_MS);
    expect(await states()).toMatchObject({ [first.id]: "Standby" });
    await exit(first.id);
    expect((await states())[first.id]).not.toBe("InService");
  });

  test("is refused where the group would become too small or too large, or an instance is not in the state for it", async () => {
    const { first, second, standby, exit, attach, region } = scene();
    await expect(standby(true, first.id, second.id)).rejects.toMatchObject(refused(/min size/));
    await expect(exit(first.id)).rejects.toMatchObject(refused(/is not in Standby/));
    await expect(standby(true, "i-0123456789abcdef0")).rejects.toMatchObject(refused(/is not part of/));
    await standby(false, first.id);
    await expect(standby(false, first.id)).rejects.toMatchObject(refused(/is not in InService/));
    await region.clock.advance(DELAY_SECONDS * SECOND_MS);
    await attach(region.node().id);
    await expect(exit(first.id)).rejects.toMatchObject(refused(/max-size=4/));
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-detach-attach-instances.html
describe("an instance that is detached", () => {
  test("leaves the pools of its group, then the group, and runs on", async () => {
    const { world, clock, first, stateIn, detach, states, described } = scene();
    await detach(true, first.id);
    expect(await states()).toMatchObject({ [first.id]: "Detaching" });
    expect(stateIn(first.id)).toBe("draining");
    expect(first.tags.get("aws:autoscaling:groupName")).toBe(AutoScalingGroupName);
    await clock.advance(DELAY_SECONDS * SECOND_MS);
    expect(await states()).not.toHaveProperty([first.id]);
    expect(first.tags.has("aws:autoscaling:groupName")).toBe(false);
    expect(world.isRunning(first.id)).toBe(true);
    expect(await described()).toMatchObject({ DesiredCapacity: 2 });
  });

  test("is replaced where the group still wants as many, and is not terminated with it", async () => {
    const { world, clock, first, detach, states } = scene();
    await detach(false, first.id);
    await clock.advance(LAUNCH_MS + 60 * SECOND_MS);
    expect(Object.keys(await states())).toHaveLength(3);
    world.stopInstance(first);
    await clock.advance(60 * SECOND_MS);
    expect(first.terminatedAt).toBeUndefined();
  });

  test("leaves by an activity that says how the capacity changes, one by one", async () => {
    const { region, first, second, attach, detach } = scene({ launches: false });
    await attach(region.node().id);
    const { Activities } = await detach(true, first.id, second.id);
    expect(Activities).toMatchObject([
      { Cause: expect.stringMatching(/was detached .*, shrinking the capacity from 4 to 3\.$/), Progress: 50 },
      { Cause: expect.stringMatching(/was detached .*, shrinking the capacity from 3 to 2\.$/), Progress: 50 },
    ]);
  });

  test("can be attached again, and is registered with the pools", async () => {
    const { clock, first, stateIn, detach, attach, states, described } = scene();
    await detach(true, first.id);
    await clock.advance(DELAY_SECONDS * SECOND_MS);
    await attach(first.id);
    expect(await states()).toMatchObject({ [first.id]: "InService" });
    expect(stateIn(first.id)).toBe("initial");
    expect(await described()).toMatchObject({ DesiredCapacity: 3 });
  });

  test("cannot be attached to another group, when it does not run, in a foreign zone, or beyond the group's size", async () => {
    const { region, world, first, attach } = scene();
    await expect(attach(first.id)).rejects.toMatchObject(refused(/already part of AutoScalingGroup:workers/));
    const stopped = region.node();
    world.stopInstance(stopped);
    await expect(attach(stopped.id)).rejects.toMatchObject(refused(/not in the running state/));
    await expect(attach(region.node({ zone: "eu-west-1f" }).id)).rejects.toMatchObject(refused(/availability zone/));
    await expect(attach(region.node().id, region.node().id)).rejects.toMatchObject(refused(/max-size=4/));
    await expect(attach("i-0123456789abcdef0")).rejects.toMatchObject(refused(/Invalid Instance ID/));
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetDesiredCapacity.html
describe("a group that is told how many it should have", () => {
  test("ends the oldest member of its largest zone, and launches nothing for it", async () => {
    const { clock, first, third, resize, states, activities } = scene();
    await resize(2);
    expect(await states()).toMatchObject({ [first.id]: "Terminating", [third.id]: "InService" });
    expect(await activities()).toMatchObject([
      {
        Description: `Terminating EC2 instance: ${first.id}`,
        Cause: expect.stringContaining("set the desired capacity from 3 to 2"),
        StatusCode: "WaitingForELBConnectionDraining",
      },
    ]);
    await clock.advance(10 * LAUNCH_MS);
    expect(Object.values(await states())).toEqual(["InService", "InService"]);
    expect(await activities()).toMatchObject([{ StatusCode: "Successful", Progress: 100, EndTime: expect.any(Date) }]);
  });

  test("launches those that are missing, and registers them", async () => {
    const { clock, own, resize, states } = scene();
    await resize(4);
    expect(Object.keys(await states())).toHaveLength(3);
    await clock.advance(LAUNCH_MS + 60 * SECOND_MS);
    expect(Object.values(await states())).toEqual(["InService", "InService", "InService", "InService"]);
    expect(own.listed(clock.now())).toHaveLength(4);
  });

  test("refuses a number below its minimum or above its maximum", async () => {
    const { resize } = scene();
    await expect(resize(1)).rejects.toMatchObject(refused(/value 1 is below min value 2/));
    await expect(resize(5)).rejects.toMatchObject(refused(/value 5 is above max value 4/));
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceHealth.html
describe("a member that is said to be unhealthy", () => {
  const unhealthy = (InstanceId: string, more: object = {}) =>
    new SetInstanceHealthCommand({ InstanceId, HealthStatus: "Unhealthy", ...more });

  test("is terminated and replaced", async () => {
    const { clock, scaling, first, states, activities } = scene();
    await scaling.send(unhealthy(first.id));
    expect(await states()).toMatchObject({ [first.id]: "Terminating" });
    expect(await activities()).toMatchObject([{ Cause: expect.stringContaining("a user health-check") }]);
    await clock.advance(10 * LAUNCH_MS);
    expect(Object.values(await states())).toEqual(["InService", "InService", "InService"]);
    expect(first.terminatedAt).toBeDefined();
  });

  test("is spared within the grace period, unless the caller says otherwise", async () => {
    const { clock, scaling, first, resize, states } = scene();
    await resize(4);
    await clock.advance(LAUNCH_MS + 60 * SECOND_MS);
    const launched = Object.keys(await states()).at(-1) ?? "";
    expect(launched).not.toBe(first.id);
    await scaling.send(unhealthy(launched));
    expect(await states()).toMatchObject({ [launched]: "InService" });
    await scaling.send(unhealthy(launched, { ShouldRespectGracePeriod: false }));
    expect(await states()).toMatchObject({ [launched]: "Terminating" });
  });

  test("must be a member, and its status one of two", async () => {
    const { scaling, first } = scene();
    await expect(scaling.send(unhealthy("i-0123456789abcdef0"))).rejects.toMatchObject(refused(/not found/));
    const sick = new SetInstanceHealthCommand({ InstanceId: first.id, HealthStatus: "Sick" });
    await expect(scaling.send(sick)).rejects.toMatchObject(refused(/'Sick' is not valid/));
  });
});

describe("what is described of a group", () => {
  test("activities in progress come first, of one group or of all, page by page", async () => {
    const { clock, first, second, standby, detach, activities, scaling } = scene();
    await standby(false, first.id);
    await clock.advance(LAUNCH_MS + 60 * SECOND_MS);
    await detach(true, second.id);
    const all = await activities();
    expect(all.map(({ Description }) => Description?.replace(/: .*/, ""))).toEqual([
      "Detaching EC2 instance",
      "Launching a new EC2 instance",
      "Moving EC2 instance to Standby",
    ]);
    expect(await activities({ AutoScalingGroupName, ActivityIds: [all[2]?.ActivityId ?? ""] })).toMatchObject([
      { StatusCode: "Successful", EndTime: new Date("2026-01-01T00:00:30Z") },
    ]);
    const page = await scaling.send(new DescribeScalingActivitiesCommand({ MaxRecords: 2 }));
    expect(page.Activities).toHaveLength(2);
    expect(await activities({ MaxRecords: 2, NextToken: page.NextToken })).toHaveLength(1);
  });

  test("its subnets are those of its zones, in the VPC of its members", async () => {
    const { described } = scene();
    const subnets = ["a", "b", "c"].map((letter) => `subnet-${VPC}-eu-west-1${letter}`);
    expect(await described()).toMatchObject({ VPCZoneIdentifier: subnets.join(",") });
  });

  test("its pools are in service when a member passes their health checks", async () => {
    const { region, scaling, workers, own } = scene();
    const read = async () => {
      const groups = await scaling.send(new DescribeLoadBalancerTargetGroupsCommand({ AutoScalingGroupName }));
      const classics = await scaling.send(new DescribeLoadBalancersCommand({ AutoScalingGroupName }));
      const sources = await scaling.send(new DescribeTrafficSourcesCommand({ AutoScalingGroupName }));
      return [groups.LoadBalancerTargetGroups, classics.LoadBalancers, sources.TrafficSources];
    };
    expect(await read()).toEqual([
      [{ LoadBalancerTargetGroupARN: own.arn, State: "InService" }],
      [{ LoadBalancerName: "old", State: "InService" }],
      [
        { Type: "elbv2", Identifier: own.arn, State: "InService" },
        { Type: "elb", Identifier: "old", State: "InService" },
      ],
    ]);
    const ofType = { AutoScalingGroupName, TrafficSourceType: "elb" };
    const { TrafficSources } = await scaling.send(new DescribeTrafficSourcesCommand(ofType));
    expect(TrafficSources?.map(({ Identifier }) => Identifier)).toEqual(["old"]);
    for (const { instance } of workers.members(region.clock.now())) region.world.terminateInstance(instance);
    expect(await read()).toMatchObject([[{ State: "Added" }], [{ State: "Added" }], Array(2).fill({ State: "Added" })]);
  });

  test("its tags, by any of the four filters", async () => {
    const { scaling, workers } = scene();
    workers.tags.set("team", "platform").set("stage", "live");
    const read = async (Name: string, ...Values: string[]) => {
      const { Tags = [] } = await scaling.send(new DescribeTagsCommand({ Filters: [{ Name, Values }] }));
      return Tags.map(({ ResourceId, Key, Value }) => [ResourceId, Key, Value]);
    };
    const [team, stage] = [
      [AutoScalingGroupName, "team", "platform"],
      [AutoScalingGroupName, "stage", "live"],
    ];
    expect(await read("auto-scaling-group", AutoScalingGroupName)).toEqual([team, stage]);
    expect(await read("key", "team")).toEqual([team]);
    expect(await read("value", "live", "dead")).toEqual([stage]);
    expect(await read("propagate-at-launch", "false")).toEqual([]);
    await expect(read("colour", "red")).rejects.toMatchObject(refused(/Allowed Filter types/));
  });
});
