import {
  CompleteLifecycleActionCommand,
  DescribeAutoScalingGroupsCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { describe, expect, test } from "vitest";
import { catchUpOnTime } from "../../src/simulator/world/world.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { announced } from "./announced.ts";
import { oneAttempt } from "./one-attempt.ts";

const SECOND_MS = 1_000;
const LAUNCH_MS = 60 * SECOND_MS;

/** The group `workers` of two nodes, which launches another one a minute after it has lost one. */
function scene() {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = [region.node(), region.node()] as const;
  const own = region.group({ name: "own", nodes, delaySeconds: 20 });
  const old = region.classic({ name: "old", nodes });
  const group = world.addAutoScalingGroup({
    name: "workers",
    instanceIds: nodes.map(({ id }) => id),
    targetGroups: [own],
    classics: [old],
    launchMs: LAUNCH_MS,
    hooks: [
      {
        name: "drain",
        transition: "autoscaling:EC2_INSTANCE_TERMINATING",
        heartbeatTimeoutSeconds: 300,
        defaultResult: "CONTINUE",
      },
    ],
  });
  catchUpOnTime(world, never);
  const { scaling } = oneAttempt(region);
  const members = async () => {
    const { AutoScalingGroups } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    return AutoScalingGroups?.[0]?.Instances ?? [];
  };
  const states = async () => (await members()).map(({ LifecycleState }) => LifecycleState);
  const terminate = (InstanceId = nodes[0].id, ShouldDecrementDesiredCapacity = false) =>
    scaling.send(new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity }));
  return { region, world, clock, nodes, own, old, group, scaling, members, states, terminate, heard: announced(world) };
}

describe("an Auto Scaling group that launches", () => {
  test("has another instance in place of the one that it terminates, before that one has gone", async () => {
    const { clock, nodes, states, members, terminate } = scene();
    await terminate();
    await clock.advance(LAUNCH_MS - 1);
    expect(await states()).toEqual(["Terminating:Wait", "InService"]);
    await clock.advance(1);
    expect(await states()).toEqual(["Terminating:Wait", "InService", "Pending"]);
    await clock.advance(5 * SECOND_MS);
    expect(await states()).toEqual(["Terminating:Wait", "InService", "InService"]);
    await clock.advance(3_600 * SECOND_MS);
    expect(await states()).toEqual(["InService", "InService"]);
    const [, launched] = await members();
    expect(launched?.AvailabilityZone).toBe(nodes[0].zone);
    expect(launched?.InstanceId).toMatch(/^i-[0-9a-f]{17}$/);
  });

  test("registers the new one with its own target groups and load balancers once it runs", async () => {
    const { world, clock, own, old, members, terminate } = scene();
    await terminate();
    await clock.advance(LAUNCH_MS + 5 * SECOND_MS - 1);
    const id = (await members())[2]?.InstanceId ?? "";
    const states = () =>
      own.listed(clock.now()).flatMap((target) => (target.id === id ? [own.apiHealth(target, clock.now()).state] : []));
    expect(states()).toEqual([]);
    await clock.advance(1);
    expect(states()).toEqual(["initial"]);
    expect(old.registered(clock.now())).toContain(id);
    await clock.advance(600 * SECOND_MS);
    expect(states()).toEqual(["healthy"]);
    expect(world.instance(id)?.tags).toEqual(
      new Map([
        ["kubernetes.io/cluster/demo", "owned"],
        ["aws:autoscaling:groupName", "workers"],
      ]),
    );
  });

  test("launches nothing where fewer are wanted", async () => {
    const { clock, nodes, states, terminate } = scene();
    await terminate(nodes[0].id, true);
    await clock.advance(3_600 * SECOND_MS);
    expect(await states()).toEqual(["InService"]);
  });

  test("replaces what EC2 has taken back, and asks its hooks though the machine is gone", async () => {
    const { world, clock, nodes, states, scaling, heard } = scene();
    world.interruptions.interrupt(nodes[0]);
    await clock.advance(120 * SECOND_MS);
    expect(await states()).toEqual(["Terminating", "InService"]);
    await clock.advance(20 * SECOND_MS);
    expect(await states()).toEqual(["Terminating:Wait", "InService"]);
    await clock.advance(45 * SECOND_MS);
    const about = { AutoScalingGroupName: "workers", LifecycleHookName: "drain", InstanceId: nodes[0].id };
    await scaling.send(new CompleteLifecycleActionCommand({ ...about, LifecycleActionResult: "CONTINUE" }));
    expect(await states()).toEqual(["InService", "InService"]);
    expect(heard).toEqual([
      [0, "interruption terminate"],
      [120, "shutting-down"],
      [125, "terminated"],
      [140, "lifecycle-action"],
      [180, "pending"],
      [185, "running"],
    ]);
  });

  test("terminates what was stopped, and replaces it", async () => {
    const { world, clock, nodes, states } = scene();
    world.stopInstance(nodes[0]);
    await clock.advance(3_600 * SECOND_MS);
    expect(await states()).toEqual(["InService", "InService"]);
    expect(nodes[0].state(clock.now(), world.timing)).toBe("terminated");
  });

  test("replaces all its instances, one after the other, as a rolling update does", async () => {
    const { clock, nodes, members, states, terminate } = scene();
    for (const { id } of nodes) {
      await terminate(id);
      await clock.advance(600 * SECOND_MS);
    }
    const ids = (await members()).map(({ InstanceId }) => InstanceId);
    expect(await states()).toEqual(["InService", "InService"]);
    expect(ids.filter((id) => nodes.some((node) => node.id === id))).toEqual([]);
  });
});
