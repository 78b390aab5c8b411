import {
  CancelInstanceRefreshCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  RollbackInstanceRefreshCommand,
  StartInstanceRefreshCommand,
  type StartInstanceRefreshCommandInput,
} from "@aws-sdk/client-auto-scaling";
import { describe, expect, test } from "vitest";
import { eventBridgeBodies } from "../../src/simulator/events/event-bridge.ts";
import type { LifecycleHook } from "../../src/simulator/world/lifecycle-action.ts";
import { catchUpOnTime } from "../../src/simulator/world/world.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const SECOND_MS = 1_000;
const AutoScalingGroupName = "workers";
const DRAIN: LifecycleHook = {
  name: "drain",
  transition: "autoscaling:EC2_INSTANCE_TERMINATING",
  heartbeatTimeoutSeconds: 60,
  defaultResult: "CONTINUE",
};
const template = (Version: string) => ({ LaunchTemplate: { LaunchTemplateName: "nodes", Version } });
const images = {
  MixedInstancesPolicy: {
    LaunchTemplate: {
      LaunchTemplateSpecification: { LaunchTemplateName: "nodes", Version: "2" },
      Overrides: [{ InstanceType: "m7g.large", ImageId: "ami-0123456789abcdef0" }],
    },
  },
};

/** The group `workers` of so many nodes, behind an ALB that lets go of them after 20 seconds. New ones warm up in 30. */
function scene({ nodes: count = 4, hooks = [] as readonly LifecycleHook[], launchMs = 10 * SECOND_MS } = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = Array.from({ length: count }, () => region.node());
  const own = region.group({ name: "own", nodes, delaySeconds: 20 });
  const instanceIds = nodes.map(({ id }) => id);
  const group = world.addAutoScalingGroup({ name: "workers", instanceIds, targetGroups: [own], launchMs, hooks });
  catchUpOnTime(world, never);
  const events: { readonly at: number; readonly name: string; readonly detail: Record<string, unknown> }[] = [];
  world.watch((change) => {
    if (change.type !== "announced" || change.announcement.type !== "instance-refresh") return;
    const [body = "{}"] = eventBridgeBodies(change.announcement, world);
    const { detail, "detail-type": type } = JSON.parse(body);
    events.push({
      at: clock.elapsedMs / SECOND_MS,
      name: type.replace("EC2 Auto Scaling Instance Refresh ", ""),
      detail,
    });
  });
  const { scaling } = oneAttempt(region);
  const start = (input: Partial<StartInstanceRefreshCommandInput> = {}) => {
    const Preferences = { InstanceWarmup: 30, ...input.Preferences };
    return scaling.send(new StartInstanceRefreshCommand({ AutoScalingGroupName, ...input, Preferences }));
  };
  const cancel = (WaitForTransitioningInstances = true) =>
    scaling.send(new CancelInstanceRefreshCommand({ AutoScalingGroupName, WaitForTransitioningInstances }));
  const described = async () => {
    const { InstanceRefreshes } = await scaling.send(new DescribeInstanceRefreshesCommand({ AutoScalingGroupName }));
    return InstanceRefreshes ?? [];
  };
  const progress = async () => {
    const [{ Status, PercentageComplete, InstancesToUpdate } = {}] = await described();
    return `${Status} ${PercentageComplete} ${InstancesToUpdate}`;
  };
  const members = async () => {
    const { AutoScalingGroups } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    return AutoScalingGroups?.[0]?.Instances ?? [];
  };
  /** `old` for those that were there at first. */
  const states = async () =>
    (await members()).map(
      ({ InstanceId = "", LifecycleState }) => `${instanceIds.includes(InstanceId) ? "old " : ""}${LifecycleState}`,
    );
  const named = () => events.map(({ at, name }) => `${at} ${name}`);
  return {
    region,
    world,
    clock,
    nodes,
    group,
    own,
    scaling,
    start,
    cancel,
    described,
    progress,
    members,
    states,
    events,
    named,
  };
}

// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
describe("an instance refresh", () => {
  test("terminates an instance and launches another one at the same time, by the percentage that stays", async () => {
    const { clock, start, states, progress, named } = scene();
    const { InstanceRefreshId } = await start({ Preferences: { MinHealthyPercentage: 75 } });
    expect(InstanceRefreshId).toMatch(/^[0-9a-f-]{36}$/);
    await clock.advance(0);
    expect(await progress()).toBe("InProgress 0 4");
    expect(await states()).toEqual(["old Terminating", "old InService", "old InService", "old InService"]);
    await clock.advance(10 * SECOND_MS);
    expect((await states()).at(-1)).toBe("Pending");
    // It runs after 5 seconds, and is warm after 30 more.
    await clock.advance(35 * SECOND_MS - 1);
    expect(await progress()).toBe("InProgress 0 4");
    await clock.advance(1);
    expect(await progress()).toBe("InProgress 25 3");
    expect((await states()).filter((state) => state === "old InService")).toHaveLength(2);
    await clock.advance(3 * 45 * SECOND_MS);
    expect(await progress()).toBe("Successful 100 0");
    expect(await states()).toEqual(Array(4).fill("InService"));
    expect(named()).toEqual(["0 Started", "180 Succeeded"]);
  });

  test.each([
    { min: 0, max: undefined, fewest: 0, most: 4, seconds: 45 },
    { min: 50, max: undefined, fewest: 2, most: 4, seconds: 90 },
    // 90 % of 4 are 4: one goes all the same.
    { min: undefined, max: undefined, fewest: 3, most: 4, seconds: 180 },
    { min: 100, max: undefined, fewest: 4, most: 5, seconds: 140 },
    { min: 100, max: 150, fewest: 4, most: 6, seconds: 70 },
    { min: 75, max: 125, fewest: 3, most: 5, seconds: 70 },
    { min: 90, max: 100, fewest: 4, most: 5, seconds: 140 },
  ])(
    "keeps from $min to $max % of 4 instances: $fewest to $most serve",
    async ({ min, max, fewest, most, seconds }) => {
      const { clock, start, members, named } = scene({ launchMs: 10 * SECOND_MS });
      await start({ Preferences: { MinHealthyPercentage: min, MaxHealthyPercentage: max } });
      const inService: number[] = [];
      const coming: number[] = [];
      for (let second = 0; second < seconds; second++) {
        await clock.advance(SECOND_MS);
        const lifecycles = (await members()).map(({ LifecycleState }) => LifecycleState);
        inService.push(lifecycles.filter((state) => state === "InService").length);
        coming.push(lifecycles.filter((state) => state === "InService" || state === "Pending").length);
      }
      expect([Math.min(...inService), Math.max(...coming)]).toEqual([fewest, most]);
      expect(named()).toEqual(["0 Started", `${seconds} Succeeded`]);
    },
  );

  test("takes instances out of their target groups, and asks the terminating hooks of each", async () => {
    const { clock, world, own, nodes, start, states } = scene({ nodes: 2, hooks: [DRAIN] });
    const actions: string[] = [];
    world.watch((change) => {
      if (change.type !== "announced" || change.announcement.type !== "lifecycle-action") return;
      actions.push(`${clock.elapsedMs / SECOND_MS} ${change.announcement.instanceId}`);
    });
    await start();
    await clock.advance(SECOND_MS);
    const health = own.listed(clock.now()).map((target) => own.apiHealth(target, clock.now()).state);
    expect(health).toEqual(["draining", "healthy"]);
    await clock.advance(600 * SECOND_MS);
    expect(actions).toEqual([`20 ${nodes[0]?.id}`, `65 ${nodes[1]?.id}`]);
    expect(await states()).toEqual(["InService", "InService"]);
    expect(own.listed(clock.now())).toHaveLength(2);
  });

  test("replaces the members of a group that launches nothing else too", async () => {
    const { clock, start, states, group } = scene({ nodes: 2 });
    Object.assign(group, { launchMs: undefined });
    await start();
    await clock.advance(600 * SECOND_MS);
    expect(await states()).toEqual(["InService", "InService"]);
  });

  test("is one at a time, and is described for six weeks, the latest one first", async () => {
    const { clock, start, described } = scene();
    const first = await start();
    await expect(start()).rejects.toMatchObject({ name: "InstanceRefreshInProgressFault" });
    await clock.advance(600 * SECOND_MS);
    const second = await start();
    const ids = async () => (await described()).map(({ InstanceRefreshId }) => InstanceRefreshId);
    expect(await ids()).toEqual([second.InstanceRefreshId, first.InstanceRefreshId]);
    await clock.advance(42 * 24 * 3_600 * SECOND_MS);
    expect(await ids()).toEqual([]);
  });

  test("stops at its checkpoints, and ends at the last one", async () => {
    const { clock, start, progress, named, events } = scene();
    await start({ Preferences: { CheckpointPercentages: [25, 50], CheckpointDelay: 100 } });
    await clock.advance(3_600 * SECOND_MS);
    expect(await progress()).toBe("Successful 50 2");
    expect(named()).toEqual(["0 Started", "45 Checkpoint Reached", "190 Checkpoint Reached", "290 Succeeded"]);
    expect(events[1]?.detail).toMatchObject({ CheckpointPercentage: "25", CheckpointDelay: "100" });
  });

  test("bakes for as long as it is told", async () => {
    const { clock, start, progress, named } = scene({ nodes: 1 });
    await start({ Preferences: { BakeTime: 60 } });
    await clock.advance(50 * SECOND_MS);
    expect(await progress()).toBe("Baking 100 0");
    await clock.advance(60 * SECOND_MS);
    expect(named()).toEqual(["0 Started", "45 Started Baking", "105 Succeeded"]);
  });
});

describe("a desired configuration", () => {
  test("is the group's once the refresh has succeeded, and the members' that match it are skipped from then on", async () => {
    const { clock, start, progress, members, scaling, nodes, region, group } = scene({ nodes: 2 });
    await start({ DesiredConfiguration: template("2") });
    await clock.advance(600 * SECOND_MS);
    const { AutoScalingGroups } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    expect(AutoScalingGroups?.[0]?.LaunchTemplate).toEqual(template("2").LaunchTemplate);
    const before = await members();
    expect(before.map(({ LaunchTemplate }) => LaunchTemplate?.Version)).toEqual(["2", "2"]);

    await start({ DesiredConfiguration: template("2"), Preferences: { SkipMatching: true } });
    await clock.advance(SECOND_MS);
    expect(await progress()).toBe("Successful 100 0");
    expect(await members()).toEqual(before);

    const odd = region.node();
    group.join(odd);
    group.desiredCapacity = 3;
    await start({ DesiredConfiguration: template("2"), Preferences: { SkipMatching: true } });
    await clock.advance(SECOND_MS);
    expect(await progress()).toBe("InProgress 0 1");
    await clock.advance(600 * SECOND_MS);
    expect(odd.terminatedAt).toBeDefined();
    expect((await members()).map(({ InstanceId }) => InstanceId)).toEqual(
      expect.arrayContaining(before.map(({ InstanceId }) => InstanceId)),
    );
    expect(nodes.every(({ terminatedAt }) => terminatedAt !== undefined)).toBe(true);
  });

  test("is given up by a rollback, which replaces what was replaced", async () => {
    const { clock, start, described, progress, members, scaling, states, named } = scene();
    const roll = () => scaling.send(new RollbackInstanceRefreshCommand({ AutoScalingGroupName }));
    await expect(roll()).rejects.toMatchObject({ name: "ActiveInstanceRefreshNotFoundFault" });
    await start({ DesiredConfiguration: template("2") });
    await clock.advance(95 * SECOND_MS);
    expect(await progress()).toBe("InProgress 50 2");
    await roll();
    await clock.advance(SECOND_MS);
    expect(await progress()).toBe("RollbackInProgress 50 2");
    const [{ RollbackDetails } = {}] = await described();
    expect(RollbackDetails).toMatchObject({ PercentageCompleteOnRollback: 50, InstancesToUpdateOnRollback: 2 });
    await clock.advance(600 * SECOND_MS);
    expect(await progress()).toBe("RollbackSuccessful 0 2");
    expect(named()).toEqual(["0 Started", "95 Rollback Started", expect.stringMatching(/ Rollback Succeeded$/)]);
    expect((await states()).filter((state) => state === "old InService")).toHaveLength(1);
    expect((await members()).map(({ LaunchTemplate }) => LaunchTemplate)).toEqual(Array(4).fill(undefined));
  });

  test("is needed for a rollback", async () => {
    const { clock, start, scaling } = scene();
    await start();
    await clock.advance(SECOND_MS);
    const roll = scaling.send(new RollbackInstanceRefreshCommand({ AutoScalingGroupName }));
    await expect(roll).rejects.toMatchObject({ name: "IrreversibleInstanceRefreshFault" });
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/userguide/cancel-instance-refresh.html
describe("a refresh that is cancelled", () => {
  test("waits for instances that come and go, and replaces no others", async () => {
    const { clock, start, cancel, progress, states, named } = scene({ hooks: [DRAIN] });
    await expect(cancel()).rejects.toMatchObject({ name: "ActiveInstanceRefreshNotFoundFault" });
    await start();
    await clock.advance(12 * SECOND_MS);
    await cancel();
    await clock.advance(0);
    expect(await progress()).toBe("Cancelling 0 4");
    await clock.advance(600 * SECOND_MS);
    expect(await progress()).toBe("Cancelled 0 4");
    // The hook waits from second 20 to 80, and then the machine takes 5.
    expect(named()).toEqual(["0 Started", "85 Cancelled"]);
    expect((await states()).filter((state) => state === "old InService")).toHaveLength(3);
  });

  test("does not wait where it is told so", async () => {
    const { clock, start, cancel, named } = scene({ hooks: [DRAIN] });
    await start();
    await clock.advance(12 * SECOND_MS);
    await cancel(false);
    await clock.advance(0);
    expect(named()).toEqual(["0 Started", "12 Cancelled"]);
  });
});

describe("members in Standby", () => {
  async function withOneAside(StandbyInstances: "Terminate" | "Ignore" | "Wait") {
    const all = scene({ nodes: 3 });
    const [aside] = all.nodes;
    const InstanceIds = [aside?.id ?? ""];
    const enter = { AutoScalingGroupName, InstanceIds, ShouldDecrementDesiredCapacity: true };
    await all.scaling.send(new EnterStandbyCommand(enter));
    await all.clock.advance(60 * SECOND_MS);
    await all.start({ Preferences: { StandbyInstances } });
    const exit = () => all.scaling.send(new ExitStandbyCommand({ AutoScalingGroupName, InstanceIds }));
    return { ...all, aside, exit };
  }

  test("are waited for for an hour, and the refresh fails", async () => {
    const { clock, progress, described, named } = await withOneAside("Wait");
    await clock.advance(600 * SECOND_MS);
    expect(await progress()).toBe("InProgress 66 1");
    await clock.advance(3_600 * SECOND_MS);
    expect(await progress()).toBe("Failed 66 1");
    expect((await described())[0]?.StatusReason).toContain("Standby");
    expect(named()).toEqual(["60 Started", "3705 Failed"]);
  });

  test("are replaced once they come back in time", async () => {
    const { clock, progress, exit, aside } = await withOneAside("Wait");
    await clock.advance(600 * SECOND_MS);
    await exit();
    await clock.advance(600 * SECOND_MS);
    expect(await progress()).toBe("Successful 100 0");
    expect(aside?.terminatedAt).toBeDefined();
  });

  test.each(["Ignore", "Terminate"] as const)("with %s are not waited for", async (choice) => {
    const { clock, named, aside, states } = await withOneAside(choice);
    await clock.advance(600 * SECOND_MS);
    expect(named()).toEqual(["60 Started", "150 Succeeded"]);
    expect(aside?.terminatedAt === undefined).toBe(choice === "Ignore");
    expect((await states()).filter((state) => state === "InService")).toHaveLength(2);
  });
});

// https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
describe("a refresh by ReplaceRootVolume", () => {
  test("gives the instances new root volumes one after the other, through their hooks", async () => {
    const { clock, start, states, progress, nodes, members, named } = scene({ nodes: 2, hooks: [DRAIN] });
    await start({ Strategy: "ReplaceRootVolume", DesiredConfiguration: images });
    await clock.advance(20 * SECOND_MS);
    expect(await states()).toEqual(["old ReplacingRootVolume:Wait", "old InService"]);
    await clock.advance(60 * SECOND_MS + 120 * SECOND_MS);
    expect(await states()).toEqual(["old InService", "old InService"]);
    await clock.advance(30 * SECOND_MS);
    expect(await progress()).toBe("InProgress 50 1");
    expect(await states()).toEqual(["old InService", "old ReplacingRootVolume"]);
    await clock.advance(230 * SECOND_MS);
    expect(named()).toEqual(["0 Started", "460 Succeeded"]);
    expect(nodes.every(({ terminatedAt }) => terminatedAt === undefined)).toBe(true);
    expect((await members()).map(({ LaunchTemplate }) => LaunchTemplate?.Version)).toEqual(["2", "2"]);
  });

  test("ends though one of its machines is lost meanwhile", async () => {
    const { world, clock, start, nodes, progress, states } = scene({ nodes: 2 });
    await start({ Strategy: "ReplaceRootVolume", DesiredConfiguration: images });
    await clock.advance(30 * SECOND_MS);
    if (nodes[0] !== undefined) world.terminateInstance(nodes[0]);
    await clock.advance(1_200 * SECOND_MS);
    expect(await progress()).toMatch(/^Successful /);
    expect((await states()).toSorted()).toEqual(["InService", "old InService"]);
  });

  test("is refused without images", async () => {
    const { start } = scene();
    for (const DesiredConfiguration of [undefined, template("2")])
      await expect(start({ Strategy: "ReplaceRootVolume", DesiredConfiguration })).rejects.toMatchObject({
        name: "ValidationError",
        message: expect.stringContaining("ImageId"),
      });
  });
});

test.each([
  { MinHealthyPercentage: 101 },
  { MaxHealthyPercentage: 110 },
  { MinHealthyPercentage: 50, MaxHealthyPercentage: 151 },
  { MinHealthyPercentage: 50, MaxHealthyPercentage: 99 },
  { CheckpointDelay: 10 },
  { CheckpointPercentages: [50, 50] },
  { CheckpointPercentages: [101] },
  { BakeTime: 172_801 },
])("a refresh with %o is refused", async (Preferences) => {
  await expect(scene().start({ Preferences })).rejects.toMatchObject({ name: "ValidationError" });
});

test.each([{ AutoRollback: true }, { AlarmSpecification: { Alarms: ["errors"] } }])(
  "a refresh with %o says that it is not simulated",
  async (Preferences) => {
    await expect(scene().start({ Preferences })).rejects.toMatchObject({ name: "NotSimulated" });
  },
);
