import { RecordLifecycleActionHeartbeatCommand } from "@aws-sdk/client-auto-scaling";
import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import type { InterruptionAction } from "../../src/simulator/world/announcement.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { announced } from "./announced.ts";
import { oneAttempt } from "./one-attempt.ts";

const SECOND_MS = 1_000;
const NOTICE_MS = 120 * SECOND_MS;

/** A spot instance, its state as EC2 says it, and what AWS announces. */
function scene() {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const node = region.node();
  const { ec2 } = oneAttempt(region);
  const state = async () => {
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [node.id] }));
    return Reservations?.[0]?.Instances?.[0]?.State?.Name;
  };
  return { region, world, clock, node, state, heard: announced(world) };
}

describe("a spot instance that EC2 takes back", () => {
  test("is switched off two minutes after the warning, to the millisecond, and is gone soon after", async () => {
    const { world, clock, node, state, heard } = scene();
    world.interruptions.interrupt(node);
    expect(world.interruptions.of(node.id)).toEqual({
      action: "terminate",
      of: "spot",
      actsAt: clock.now() + NOTICE_MS,
    });
    await clock.advance(NOTICE_MS - 1);
    expect(await state()).toBe("running");
    await clock.advance(1);
    expect(await state()).toBe("shutting-down");
    await clock.advance(5 * SECOND_MS);
    expect(await state()).toBe("terminated");
    expect(heard).toEqual([
      [0, "interruption terminate"],
      [120, "shutting-down"],
      [125, "terminated"],
    ]);
  });

  test("may be recommended to be replaced before, so much earlier", async () => {
    const { world, clock, node, heard } = scene();
    world.interruptions.interrupt(node, { rebalanceLeadMs: 600 * SECOND_MS });
    expect(world.interruptions.recommendedAt(node.id)).toBe(clock.now());
    expect(world.interruptions.of(node.id)).toBeUndefined();
    await clock.advance(800 * SECOND_MS);
    world.catchUp();
    expect(heard).toEqual([
      [0, "rebalance-recommendation"],
      [600, "interruption terminate"],
      [720, "shutting-down"],
      [725, "terminated"],
    ]);
  });

  test("is switched off no later where the warning comes late", async () => {
    const { world, clock, node, state, heard } = scene();
    world.interruptions.interrupt(node, { lateMs: 85 * SECOND_MS });
    expect(world.interruptions.of(node.id)?.actsAt).toBe(clock.now() + 35 * SECOND_MS);
    await clock.advance(35 * SECOND_MS - 1);
    expect(await state()).toBe("running");
    await clock.advance(1);
    expect(await state()).toBe("shutting-down");
    expect(heard).toEqual([
      [-85, "interruption terminate"],
      [35, "shutting-down"],
    ]);
  });

  test.each<[InterruptionAction, number]>([
    ["stop", 120],
    ["hibernate", 0],
  ])("is stopped where the action is %s, %i s after the warning", async (action, seconds) => {
    const { world, clock, node, state, heard } = scene();
    world.interruptions.interrupt(node, { action });
    await clock.advance(200 * SECOND_MS);
    expect(await state()).toBe("stopped");
    expect(heard).toEqual([
      [0, `interruption ${action}`],
      [seconds, "stopping"],
      [seconds + 5, "stopped"],
    ]);
    expect(world.interruptions.of(node.id)).toBeUndefined();
  });

  test("is warned once, and not at all when it is off by then", async () => {
    const { region, world, clock, node, heard } = scene();
    world.interruptions.interrupt(node);
    await clock.advance(SECOND_MS);
    world.interruptions.interrupt(node, { action: "stop" });
    const leaving = region.node();
    world.interruptions.interrupt(leaving, { rebalanceLeadMs: SECOND_MS });
    world.stopInstance(leaving);
    await clock.advance(SECOND_MS);
    world.catchUp();
    expect(heard.filter(([, what]) => what.startsWith("interruption"))).toEqual([[0, "interruption terminate"]]);
  });

  test("is gone by then though its Auto Scaling group's hook still waits, whatever the heartbeats", async () => {
    const { region, world, clock, node, state } = scene();
    const hooks = [
      {
        name: "drain",
        transition: "autoscaling:EC2_INSTANCE_TERMINATING" as const,
        heartbeatTimeoutSeconds: 300,
        defaultResult: "ABANDON" as const,
      },
    ];
    const group = world.addAutoScalingGroup({ name: "workers", instanceIds: [node.id], hooks });
    world.interruptions.interrupt(node);
    world.beginScaleIn(group, node);
    await clock.advance(NOTICE_MS - SECOND_MS);
    const { scaling } = oneAttempt(region);
    const about = { AutoScalingGroupName: "workers", LifecycleHookName: "drain", InstanceId: node.id };
    await scaling.send(new RecordLifecycleActionHeartbeatCommand(about));
    expect(await state()).toBe("running");
    await clock.advance(SECOND_MS);
    expect(await state()).toBe("shutting-down");
  });
});

test("an instance of a Capacity Reservation that is taken back is terminated two minutes after the warning", async () => {
  const { world, clock, node, heard } = scene();
  world.interruptions.interruptReservation(node);
  expect(world.interruptions.of(node.id)?.of).toBe("capacity-reservation");
  await clock.advance(NOTICE_MS);
  world.catchUp();
  expect(heard).toEqual([
    [0, "interruption terminate"],
    [120, "shutting-down"],
  ]);
});

test("a recommendation to replace an instance does nothing by itself", async () => {
  const { world, clock, node, state, heard } = scene();
  world.interruptions.recommendRebalance(node);
  await clock.advance(3_600 * SECOND_MS);
  expect(await state()).toBe("running");
  expect(heard).toEqual([[0, "rebalance-recommendation"]]);
});

describe("the states that EC2 announces", () => {
  test("are those that an instance passes when it is stopped, started and terminated", async () => {
    const { world, clock, node, heard } = scene();
    world.stopInstance(node);
    await clock.advance(10 * SECOND_MS);
    world.catchUp();
    world.startInstance(node);
    await clock.advance(10 * SECOND_MS);
    world.catchUp();
    world.terminateInstance(node);
    await clock.advance(10 * SECOND_MS);
    world.catchUp();
    expect(heard).toEqual([
      [0, "stopping"],
      [5, "stopped"],
      [10, "pending"],
      [15, "running"],
      [20, "shutting-down"],
      [25, "terminated"],
    ]);
  });

  test("leave out one that it never came to", async () => {
    const { world, clock, node, heard } = scene();
    world.stopInstance(node);
    await clock.advance(2 * SECOND_MS);
    world.terminateInstance(node);
    await clock.advance(10 * SECOND_MS);
    world.catchUp();
    expect(heard).toEqual([
      [0, "stopping"],
      [2, "shutting-down"],
      [7, "terminated"],
    ]);
  });

  test("have the moments at which they came to be, though time has jumped over them", async () => {
    const { region, world, clock, node, heard } = scene();
    const other = region.node();
    world.interruptions.interrupt(node);
    await clock.advance(60 * SECOND_MS);
    world.interruptions.interrupt(other);
    await clock.advance(3_600 * SECOND_MS);
    world.catchUp();
    expect(heard.map(([at]) => at)).toEqual([0, 60, 120, 125, 180, 185]);
  });
});
