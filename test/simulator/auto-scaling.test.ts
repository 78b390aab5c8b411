import {
  CompleteLifecycleActionCommand,
  DescribeAutoScalingGroupsCommand,
  type DescribeAutoScalingGroupsCommandInput,
  DescribeAutoScalingInstancesCommand,
  DescribeLifecycleHooksCommand,
  RecordLifecycleActionHeartbeatCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { describe, expect, test } from "vitest";
import type { LifecycleHook } from "../../src/simulator/world/lifecycle-action.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const SECOND_MS = 1_000;
const hook = (name: string, more: Partial<LifecycleHook> = {}): LifecycleHook => ({
  name,
  transition: "autoscaling:EC2_INSTANCE_TERMINATING",
  heartbeatTimeoutSeconds: 60,
  defaultResult: "ABANDON",
  ...more,
});

/** The group `workers` of two nodes, and the SDK to ask and change it with. */
function scene({
  hooks = [hook("drain")],
  minSize = 0,
  retainsAbandoned = false,
}: {
  hooks?: LifecycleHook[];
  minSize?: number;
  retainsAbandoned?: boolean;
} = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const [node, other] = [region.node(), region.node()];
  const instanceIds = [node.id, other.id];
  const workers = world.addAutoScalingGroup({ name: "workers", instanceIds, hooks, minSize, retainsAbandoned });
  const { scaling } = oneAttempt(region);

  const stateOf = async (id = node.id) => {
    const { AutoScalingInstances = [] } = await scaling.send(
      new DescribeAutoScalingInstancesCommand({ InstanceIds: [id] }),
    );
    return AutoScalingInstances[0]?.LifecycleState;
  };
  const terminate = (InstanceId: string | undefined = node.id, ShouldDecrementDesiredCapacity = false) =>
    scaling.send(new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity }));
  const about = { AutoScalingGroupName: "workers", LifecycleHookName: "drain", InstanceId: node.id };
  const complete = (more: object = {}) =>
    scaling.send(new CompleteLifecycleActionCommand({ ...about, LifecycleActionResult: "CONTINUE", ...more }));
  const heartbeat = (more: object = {}) =>
    scaling.send(new RecordLifecycleActionHeartbeatCommand({ ...about, ...more }));
  const ec2State = () => node.state(clock.now(), world.timing);
  return { region, world, clock, node, other, workers, scaling, stateOf, terminate, complete, heartbeat, ec2State };
}

describe("an instance that its Auto Scaling group terminates", () => {
  test("waits for its hook, goes on when the hook is completed, and is gone", async () => {
    const { clock, stateOf, terminate, complete, ec2State } = scene();
    expect(await stateOf()).toBe("InService");
    await terminate();
    expect(await stateOf()).toBe("Terminating:Wait");
    expect(ec2State()).toBe("running");
    await clock.advance(10 * SECOND_MS);
    await complete();
    expect(await stateOf()).toBe("Terminating:Proceed");
    expect(ec2State()).toBe("shutting-down");
    await clock.advance(5 * SECOND_MS);
    expect(await stateOf()).toBeUndefined();
    expect(ec2State()).toBe("terminated");
  });

  test("leaves the group's own target groups and classic load balancers before its hook, and no others", async () => {
    const { region, world, clock, node: bystander, scaling, stateOf } = scene();
    const node = region.node();
    const own = region.group({ name: "own", nodes: [node], delaySeconds: 30 });
    const foreign = region.group({ name: "foreign", nodes: [node] });
    const old = region.classic({ name: "old", nodes: [node], drainingSeconds: 300 });
    world.addAutoScalingGroup({
      name: "web",
      instanceIds: [node.id],
      targetGroups: [own],
      classics: [old],
      hooks: [hook("drain")],
    });
    old.requestStarted(node.id);
    const InstanceId = node.id;
    await scaling.send(
      new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity: false }),
    );
    const stateIn = (group: typeof own) => group.listed(clock.now()).map((t) => group.apiHealth(t, clock.now()).state);
    expect([stateIn(own), stateIn(foreign)]).toEqual([["draining"], ["healthy"]]);
    expect(old.registered(clock.now())).toEqual([]);
    await clock.advance(100 * SECOND_MS);
    expect(await stateOf(node.id)).toBe("Terminating");
    old.requestEnded(node.id);
    expect(await stateOf(node.id)).toBe("Terminating:Wait");
    expect(stateIn(foreign)).toEqual(["healthy"]);
    expect(await stateOf(bystander.id)).toBe("InService");
  });

  test("waits for the deregistration delay of the group's own target group", async () => {
    const { region, world, clock, scaling, stateOf } = scene();
    const node = region.node();
    const own = region.group({ name: "own", nodes: [node], delaySeconds: 30 });
    world.addAutoScalingGroup({ name: "web", instanceIds: [node.id], targetGroups: [own], hooks: [hook("drain")] });
    const input = { InstanceId: node.id, ShouldDecrementDesiredCapacity: false };
    await scaling.send(new TerminateInstanceInAutoScalingGroupCommand(input));
    await clock.advance(29_999);
    expect(await stateOf(node.id)).toBe("Terminating");
    await clock.advance(1);
    expect(await stateOf(node.id)).toBe("Terminating:Wait");
  });

  test("is terminated at the very moment its hook's timeout ends, though nobody looks at it", async () => {
    const { clock, node, terminate, stateOf } = scene();
    const startedAt = clock.now();
    await terminate();
    await clock.advance(3_600 * SECOND_MS);
    expect(await stateOf()).toBeUndefined();
    expect(node.terminatedAt).toBe(startedAt + 60 * SECOND_MS);
  });

  test("without a hook is terminated at once", async () => {
    const { terminate, stateOf, ec2State } = scene({ hooks: [] });
    await terminate();
    expect(await stateOf()).toBe("Terminating");
    expect(ec2State()).toBe("shutting-down");
  });

  test("is held by no hook for launches", async () => {
    const launching = hook("drain", { transition: "autoscaling:EC2_INSTANCE_LAUNCHING" });
    const { terminate, ec2State } = scene({ hooks: [launching] });
    await terminate();
    expect(ec2State()).toBe("shutting-down");
  });

  test("still counts while a hook waits for it, also when EC2 has terminated it meanwhile", async () => {
    const { world, clock, node, terminate, stateOf, complete } = scene();
    await terminate();
    world.terminateInstance(node);
    await clock.advance(30 * SECOND_MS);
    expect(await stateOf()).toBe("Terminating:Wait");
    await complete();
    expect(await stateOf()).toBeUndefined();
  });
});

describe("a lifecycle action", () => {
  test("gets its whole timeout again with each heartbeat", async () => {
    const { clock, terminate, heartbeat, stateOf } = scene();
    await terminate();
    for (let beat = 0; beat < 5; beat++) {
      await clock.advance(59 * SECOND_MS);
      await heartbeat();
    }
    await clock.advance(59_999);
    expect(await stateOf()).toBe("Terminating:Wait");
    await clock.advance(1);
    expect(await stateOf()).toBe("Terminating:Proceed");
  });

  test("ends with its global timeout, a hundred times the other, whatever the heartbeats", async () => {
    const { clock, terminate, heartbeat, stateOf } = scene({ hooks: [hook("drain", { heartbeatTimeoutSeconds: 30 })] });
    await terminate();
    for (let beat = 0; beat < 100; beat++) {
      await clock.advance(29_990);
      await heartbeat();
    }
    expect(await stateOf()).toBe("Terminating:Wait");
    await clock.advance(1_000);
    expect(await stateOf()).toBe("Terminating:Proceed");
  });

  test("is found by its token alone", async () => {
    const { clock, workers, node, terminate, complete, heartbeat, stateOf } = scene();
    await terminate();
    const [action] = workers.scaleInOf(node.id)?.activeActions(clock.now()) ?? [];
    const LifecycleActionToken = action?.token;
    expect(LifecycleActionToken).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    await heartbeat({ InstanceId: undefined, LifecycleActionToken });
    await complete({ InstanceId: undefined, LifecycleActionToken });
    expect(await stateOf()).toBe("Terminating:Proceed");
    await expect(complete({ InstanceId: undefined, LifecycleActionToken })).rejects.toMatchObject({
      name: "ValidationError",
      message: `No active Lifecycle Action found with token ${LifecycleActionToken}`,
    });
  });

  test("of one hook goes on when another one continues, and ends when another one abandons", async () => {
    const hooks = [hook("drain"), hook("backup", { heartbeatTimeoutSeconds: 600 }), hook("audit")];
    const { clock, terminate, complete, stateOf } = scene({ hooks });
    await terminate();
    await complete();
    await complete({ LifecycleHookName: "audit" });
    await clock.advance(120 * SECOND_MS);
    expect(await stateOf()).toBe("Terminating:Wait");
    await complete({ LifecycleHookName: "backup", LifecycleActionResult: "ABANDON" });
    expect(await stateOf()).toBe("Terminating:Proceed");

    const second = scene({ hooks });
    await second.terminate();
    await second.complete({ LifecycleActionResult: "ABANDON" });
    expect(await second.stateOf()).toBe("Terminating:Proceed");
    await expect(second.complete({ LifecycleHookName: "backup" })).rejects.toThrow("No active Lifecycle Action");
  });

  test("that times out counts as its hook's default result", async () => {
    const hooks = [hook("drain", { defaultResult: "CONTINUE" }), hook("backup", { heartbeatTimeoutSeconds: 600 })];
    const { clock, terminate, stateOf } = scene({ hooks });
    await terminate();
    await clock.advance(60 * SECOND_MS);
    expect(await stateOf()).toBe("Terminating:Wait");
    await clock.advance(540 * SECOND_MS);
    expect(await stateOf()).toBe("Terminating:Proceed");
  });

  test.each(["complete", "heartbeat"] as const)("that is not there, or over, can't %s", async (call) => {
    const { clock, node, terminate, ...calls } = scene();
    const refused = {
      name: "ValidationError",
      message: `No active Lifecycle Action found with instance ID ${node.id}`,
    };
    await expect(calls[call]()).rejects.toMatchObject(refused);
    await terminate();
    await expect(calls[call]({ LifecycleHookName: "other" })).rejects.toMatchObject(refused);
    await clock.advance(60 * SECOND_MS);
    await expect(calls[call]()).rejects.toMatchObject({ ...refused, $metadata: { httpStatusCode: 400 } });
  });
});

describe("Auto Scaling refuses", () => {
  test.each<[string, object, string]>([
    ["an unknown group", { AutoScalingGroupName: "none" }, "AutoScalingGroup name not found"],
    ["neither a token nor an instance", { InstanceId: undefined }, "Either a lifecycle action token or an instance ID"],
    ["a token that is none", { LifecycleActionToken: "short" }, "'short' must have a length of 36"],
    ["a result that is none", { LifecycleActionResult: "MAYBE" }, "'MAYBE' is not valid"],
    ["no hook", { LifecycleHookName: undefined }, "Value null at 'lifecycleHookName'"],
  ])("to complete an action of %s", async (_, more, message) => {
    const { terminate, complete } = scene();
    await terminate();
    await expect(complete(more)).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining(message),
    });
  });

  test("to terminate what is no member, what is leaving already, and more than the group's least size", async () => {
    const { node, other, workers, terminate } = scene({ minSize: 1 });
    await expect(terminate("i-0dddddddddddddddd")).rejects.toMatchObject({
      name: "ValidationError",
      message: "Instance Id not found - No managed instance found for instance ID: i-0dddddddddddddddd",
    });
    const { Activity } = await terminate(node.id, true);
    expect(workers.desiredCapacity).toBe(1);
    expect(Activity?.Cause).toContain("shrinking the capacity from 2 to 1");
    await expect(terminate(node.id)).rejects.toMatchObject({
      name: "ScalingActivityInProgressFault",
      message: `Scaling activity ${Activity?.ActivityId} is in progress and blocks this action`,
    });
    await expect(terminate(other.id, true)).rejects.toThrow("desiredSize equals minSize (1)");
    await terminate(other.id, false);
    expect(workers.desiredCapacity).toBe(1);
  });
});

test("several instances of a group are terminated in one call", async () => {
  const { node, other, scaling, stateOf } = scene();
  const { Activities, Activity } = await scaling.send(
    new TerminateInstanceInAutoScalingGroupCommand({
      InstanceIds: [node.id, other.id, node.id],
      AutoScalingGroupName: "workers",
      ShouldDecrementDesiredCapacity: true,
    }),
  );
  expect(Activities?.map(({ Description }) => Description)).toEqual([
    `Terminating EC2 instance: ${node.id}`,
    `Terminating EC2 instance: ${other.id}`,
  ]);
  expect(Activity).toBeUndefined();
  expect([await stateOf(node.id), await stateOf(other.id)]).toEqual(["Terminating:Wait", "Terminating:Wait"]);
});

describe("Describe", () => {
  test("shows a group with its sizes, its instances and what is its own", async () => {
    const { region, world, scaling } = scene();
    const node = region.node();
    const own = region.group({ name: "own", nodes: [node] });
    const old = region.classic({ name: "old", nodes: [node] });
    const input = { name: "web", instanceIds: [node.id], targetGroups: [own], classics: [old], maxSize: 9 };
    world.addAutoScalingGroup(input).tags.set("team", "shop");
    const { AutoScalingGroups = [] } = await scaling.send(
      new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: ["web", "none"] }),
    );
    expect(AutoScalingGroups).toMatchObject([
      {
        AutoScalingGroupName: "web",
        AutoScalingGroupARN: expect.stringMatching(
          /^arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:.+\/web$/,
        ),
        MinSize: 0,
        MaxSize: 9,
        DesiredCapacity: 1,
        LoadBalancerNames: ["old"],
        TargetGroupARNs: [own.arn],
        TrafficSources: [
          { Identifier: own.arn, Type: "elbv2" },
          { Identifier: "old", Type: "elb" },
        ],
        Instances: [{ InstanceId: node.id, LifecycleState: "InService", HealthStatus: "Healthy" }],
        Tags: [{ Key: "team", Value: "shop", ResourceId: "web", PropagateAtLaunch: true }],
      },
    ]);
    expect(node.tags.get("aws:autoscaling:groupName")).toBe("web");
  });

  test.each<[string, DescribeAutoScalingGroupsCommandInput, readonly string[]]>([
    ["everything", {}, ["workers", "a", "b"]],
    ["a tag's key", { Filters: [{ Name: "tag-key", Values: ["team", "x"] }] }, ["a", "b"]],
    ["a tag's value", { Filters: [{ Name: "tag-value", Values: ["shop"] }] }, ["a"]],
    ["a tag", { Filters: [{ Name: "tag:team", Values: ["desk"] }] }, ["b"]],
    [
      "two filters",
      {
        Filters: [
          { Name: "tag-key", Values: ["team"] },
          { Name: "tag:team", Values: ["shop"] },
        ],
      },
      ["a"],
    ],
  ])("finds groups by %s", async (_, input, names) => {
    const { world, scaling } = scene();
    world.addAutoScalingGroup({ name: "a", instanceIds: [] }).tags.set("team", "shop");
    world.addAutoScalingGroup({ name: "b", instanceIds: [] }).tags.set("team", "desk");
    const { AutoScalingGroups = [] } = await scaling.send(new DescribeAutoScalingGroupsCommand(input));
    expect(AutoScalingGroups.map(({ AutoScalingGroupName }) => AutoScalingGroupName)).toEqual(names);
  });

  test("leaves out the instances of big groups when told to", async () => {
    const { scaling } = scene();
    const { AutoScalingGroups } = await scaling.send(new DescribeAutoScalingGroupsCommand({ IncludeInstances: false }));
    expect(AutoScalingGroups).toMatchObject([{ DesiredCapacity: 2, Instances: [] }]);
  });

  test("gives groups in pages of 50, or of up to 100 when asked", async () => {
    const { world, scaling } = scene();
    for (let number = 1; number <= 119; number++) {
      world.addAutoScalingGroup({ name: `group-${number}`, instanceIds: [] });
    }
    const page = async (input: DescribeAutoScalingGroupsCommandInput) => {
      const { AutoScalingGroups, NextToken } = await scaling.send(new DescribeAutoScalingGroupsCommand(input));
      return { count: AutoScalingGroups?.length, NextToken };
    };
    const first = await page({});
    const second = await page({ NextToken: first.NextToken });
    const last = await page({ NextToken: second.NextToken });
    expect([first.count, second.count, last]).toEqual([50, 50, { count: 20, NextToken: undefined }]);
    expect(await page({ MaxRecords: 100 })).toMatchObject({ count: 100, NextToken: expect.any(String) });
    const names = Array.from({ length: 51 }, (_, number) => `group-${number}`);
    await expect(page({ AutoScalingGroupNames: names })).rejects.toThrow("limited to 50");
    expect((await page({ AutoScalingGroupNames: names, MaxRecords: 100 })).count).toBe(50);
    await expect(page({ MaxRecords: 101 })).rejects.toMatchObject({ name: "ValidationError" });
    await expect(page({ NextToken: "nobody's" })).rejects.toMatchObject({ name: "InvalidNextToken" });
    await expect(page({ Filters: [{ Name: "mood", Values: ["good"] }] })).rejects.toMatchObject({
      name: "ValidationError",
    });
  });

  test("gives instances in pages of 50, and passes over unknown ones", async () => {
    const { region, world, node, scaling } = scene();
    const instanceIds = Array.from({ length: 60 }, () => region.node().id);
    world.addAutoScalingGroup({ name: "big", instanceIds });
    const list = (input: object) => scaling.send(new DescribeAutoScalingInstancesCommand(input));
    const first = await list({});
    expect(first.AutoScalingInstances).toHaveLength(50);
    expect((await list({ NextToken: first.NextToken })).AutoScalingInstances).toHaveLength(12);
    const known = await list({ InstanceIds: [node.id, "i-0dddddddddddddddd"] });
    expect(known.AutoScalingInstances).toMatchObject([
      { InstanceId: node.id, AutoScalingGroupName: "workers", LifecycleState: "InService", HealthStatus: "HEALTHY" },
    ]);
    await expect(list({ InstanceIds: [...instanceIds] })).rejects.toThrow("limited to 50");
    await expect(list({ MaxRecords: 51 })).rejects.toMatchObject({ name: "ValidationError" });
    await expect(list({ NextToken: "x" })).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } });
  });

  test("calls what doesn't run unhealthy", async () => {
    const { world, node, scaling } = scene();
    world.stopInstance(node);
    const { AutoScalingInstances } = await scaling.send(new DescribeAutoScalingInstancesCommand({}));
    expect(AutoScalingInstances?.map(({ HealthStatus }) => HealthStatus)).toEqual(["UNHEALTHY", "HEALTHY"]);
  });

  test("shows hooks with both timeouts", async () => {
    const hooks = [hook("drain"), hook("slow", { heartbeatTimeoutSeconds: 7_200, defaultResult: "CONTINUE" })];
    const { scaling, workers } = scene({ hooks });
    const list = async (input: { AutoScalingGroupName: string; LifecycleHookNames?: string[] }) =>
      (await scaling.send(new DescribeLifecycleHooksCommand(input))).LifecycleHooks;
    const slow = {
      LifecycleHookName: "slow",
      HeartbeatTimeout: 7_200,
      GlobalTimeout: 172_800,
      DefaultResult: "CONTINUE",
    };
    expect(await list({ AutoScalingGroupName: "workers" })).toMatchObject([
      { LifecycleHookName: "drain", HeartbeatTimeout: 60, GlobalTimeout: 6_000, DefaultResult: "ABANDON" },
      slow,
    ]);
    expect(await list({ AutoScalingGroupName: workers.arn, LifecycleHookNames: ["slow"] })).toMatchObject([slow]);
    await expect(list({ AutoScalingGroupName: "none" })).rejects.toMatchObject({ name: "ValidationError" });
    const LifecycleHookNames = Array.from({ length: 51 }, (_, number) => `hook-${number}`);
    await expect(list({ AutoScalingGroupName: "workers", LifecycleHookNames })).rejects.toThrow(
      "less than or equal to 50",
    );
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html
describe("in a group whose instance lifecycle policy retains instances", () => {
  const retaining = (more: Partial<LifecycleHook> = {}) =>
    scene({ hooks: [hook("drain", more)], retainsAbandoned: true });

  test("the policy is described; in other groups there is none", async () => {
    const policyOf = async ({ scaling }: ReturnType<typeof scene>) =>
      (await scaling.send(new DescribeAutoScalingGroupsCommand({}))).AutoScalingGroups?.[0]?.InstanceLifecyclePolicy;
    expect(await policyOf(retaining())).toEqual({ RetentionTriggers: { TerminateHookAbandon: "retain" } });
    expect(await policyOf(scene())).toBeUndefined();
  });

  test.each([
    [
      "is abandoned",
      async (at: ReturnType<typeof scene>) => void (await at.complete({ LifecycleActionResult: "ABANDON" })),
    ],
    ["times out, with ABANDON for its result", (at: ReturnType<typeof scene>) => at.clock.advance(60 * SECOND_MS)],
  ])("an instance whose hook %s runs on as Terminating:Retained, until it is terminated", async (_, end) => {
    const at = retaining();
    await at.terminate();
    await end(at);
    expect(await at.stateOf()).toBe("Terminating:Retained");
    await at.clock.advance(86_400 * SECOND_MS);
    expect([await at.stateOf(), at.ec2State()]).toEqual(["Terminating:Retained", "running"]);
    // Its hook has ended.
    await expect(at.heartbeat()).rejects.toThrow("No active Lifecycle Action found");
    await at.terminate();
    await at.clock.advance(5 * SECOND_MS);
    expect([await at.stateOf(), at.ec2State()]).toEqual([undefined, "terminated"]);
  });

  test.each([
    ["is continued", async (at: ReturnType<typeof scene>) => void (await at.complete())],
    ["times out, with CONTINUE for its result", (at: ReturnType<typeof scene>) => at.clock.advance(60 * SECOND_MS)],
  ])("an instance whose hook %s is terminated", async (_, end) => {
    const at = retaining({ defaultResult: "CONTINUE" });
    await at.terminate();
    await end(at);
    await at.clock.advance(5 * SECOND_MS);
    expect([await at.stateOf(), at.ec2State()]).toEqual([undefined, "terminated"]);
  });
});
