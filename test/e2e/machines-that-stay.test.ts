import { AutoScalingClient, StartInstanceRefreshCommand } from "@aws-sdk/client-auto-scaling";
import { describe, expect, test } from "vitest";
import { eventBridgeBodies } from "../../src/simulator/events/event-bridge.ts";
import type { Announcement } from "../../src/simulator/world/announcement.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { catchUpOnTime } from "../../src/simulator/world/world.ts";
import { queueOnRegion } from "../support/queue-on-region.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

const HOUR_MS = 3_600_000;
const STATES = ["stopping", "stopped", "pending", "running"] as const;

/** Four nodes behind an ALB, and a queue that gets whatever EC2 and Auto Scaling announce. */
async function scene(options: Readonly<Record<string, string>> = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = [region.node(), region.node(), region.node(), region.node()] as const;
  const web = region.group({ name: "web", nodes, delaySeconds: 300 });
  const scaling = world.addAutoScalingGroup({
    name: "workers",
    instanceIds: nodes.map(({ id }) => id),
    hooks: [
      {
        name: "drain",
        transition: "autoscaling:EC2_INSTANCE_TERMINATING",
        heartbeatTimeoutSeconds: 600,
        defaultResult: "CONTINUE",
      },
    ],
  });
  const service = await queueOnRegion(region, { MIN_HEALTHY: "1", ...options });
  const put = (announcement: Announcement) => {
    for (const body of eventBridgeBodies(announcement, world)) service.queue.put(body);
  };
  world.watch((change) => {
    if (change.type === "announced") put(change.announcement);
  });
  const listed = () => nodes.filter((node) => isRegistered(web, node, clock.now()));
  const deregistered = () => region.callsOf("DeregisterTargets").length;
  return { region, world, clock, nodes, web, scaling, put, listed, deregistered, ...service };
}
function isRegistered(group: TargetGroup, { id }: Instance, now: number): boolean {
  return group.listed(now).some((target) => target.id === id && target.deregisteredAt === undefined);
}

const stateOf = (instance: Instance, state: (typeof STATES)[number], at: number): Announcement => ({
  type: "instance-state",
  ...{ instance, state, at },
});

describe("a machine that runs", () => {
  test("is left alone, whatever a queue says of it that nobody has read since Friday", async () => {
    const { clock, nodes, put, queue, deregistered, outcomes } = await scene();
    for (const node of nodes) for (const state of STATES) put(stateOf(node, state, clock.now() - 60 * HOUR_MS));
    await clock.advance(HOUR_MS);
    expect(deregistered()).toBe(0);
    expect(queue.size).toBe(0);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill("superseded"));
  });

  test("is registered again when it was stopped and started while it was drained", async () => {
    const { clock, world, nodes, queue, deregistered, outcomes, region, listed } = await scene();
    await clock.advance(10_000);
    world.stopInstance(nodes[0]);
    await clock.advance(30_000);
    expect(deregistered()).toBe(1);
    world.startInstance(nodes[0]);
    await clock.advance(HOUR_MS);
    // Once, and no fight with anybody: the drain has ended.
    expect(deregistered()).toBe(1);
    expect(region.callsOf("RegisterTargets")).toHaveLength(1);
    expect(listed()).toHaveLength(4);
    expect(queue.size).toBe(0);
    expect(outcomes).toMatchObject([{ status: "superseded" }, { status: "superseded" }]);
  });

  test("stays out where UNDO is not set, and its drain ends all the same", async () => {
    const { clock, world, nodes, queue, deregistered, outcomes, listed } = await scene({ UNDO: "false" });
    world.stopInstance(nodes[0]);
    await clock.advance(30_000);
    world.startInstance(nodes[0]);
    await clock.advance(HOUR_MS);
    expect([deregistered(), listed().length, queue.size]).toEqual([1, 3, 0]);
    expect(outcomes).toMatchObject([{ status: "superseded" }, { status: "superseded" }]);
  });
});

describe("a machine that gets a new root volume", () => {
  test("is drained, its hook completed, and registered again when it is back in service", async () => {
    const { clock, world, nodes, scaling, queue, returns, deregistered, listed } = await scene();
    world.beginRootVolumeReplacement(scaling, nodes[0]);
    await clock.advance(60_000);
    expect([deregistered(), listed().length]).toEqual([1, 3]);
    await clock.advance(HOUR_MS);
    expect(returns.map(({ type }) => type)).toEqual(["awaiting-return", "returned"]);
    expect([deregistered(), listed().length, queue.size]).toEqual([1, 4, 0]);
    expect(nodes[0].terminatedAt).toBeUndefined();
  });

  test("never leaves its pool empty, however many are replaced at once", async () => {
    const { clock, world, nodes, scaling, queue, listed } = await scene();
    let fewest: number = nodes.length;
    for (const node of nodes) world.beginRootVolumeReplacement(scaling, node);
    for (let minute = 0; minute < 90; minute += 1) {
      await clock.advance(60_000);
      fewest = Math.min(fewest, listed().length);
    }
    expect(fewest).toBeGreaterThanOrEqual(1);
    expect([listed().length, queue.size]).toEqual([4, 0]);
  });

  test("is one of all that an instance refresh gives new root volumes, one after the other", async () => {
    const { region, clock, nodes, queue, returns, deregistered, listed, scaling, world } = await scene();
    catchUpOnTime(world, never);
    const client = new AutoScalingClient({ region: world.region, ...region.aws() });
    const LaunchTemplateSpecification = { LaunchTemplateName: "nodes", Version: "2" };
    const LaunchTemplate = { LaunchTemplateSpecification, Overrides: [{ ImageId: "ami-0123456789abcdef0" }] };
    await client.send(
      new StartInstanceRefreshCommand({
        AutoScalingGroupName: scaling.name,
        Strategy: "ReplaceRootVolume",
        DesiredConfiguration: { MixedInstancesPolicy: { LaunchTemplate } },
      }),
    );
    let fewest: number = nodes.length;
    for (let minute = 0; minute < 120; minute += 1) {
      await clock.advance(60_000);
      fewest = Math.min(fewest, listed().length);
    }
    expect(world.scaling.refreshes.of(scaling, clock.now())[0]?.status).toBe("Successful");
    expect(returns.filter(({ type }) => type === "returned")).toHaveLength(4);
    expect([fewest, deregistered(), listed().length, queue.size]).toEqual([3, 4, 4, 0]);
    expect(nodes.every(({ terminatedAt }) => terminatedAt === undefined)).toBe(true);
  });

  test("is left alone where the event is old and it serves again", async () => {
    const { clock, world, nodes, scaling, queue, deregistered } = await scene();
    const scaleIn = world.beginRootVolumeReplacement(scaling, nodes[0]);
    await clock.advance(HOUR_MS);
    const before = deregistered();
    const [action] = scaleIn.activeActions(clock.now());
    expect(action).toBeUndefined();
    const event = { AutoScalingGroupName: "workers", LifecycleHookName: "drain", EC2InstanceId: nodes[0].id };
    queue.put(
      JSON.stringify({
        ...event,
        LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
        Action: "ReplaceRootVolume",
        Time: new Date(clock.now() - HOUR_MS).toISOString(),
      }),
    );
    await clock.advance(HOUR_MS);
    expect([deregistered(), queue.size]).toEqual([before, 0]);
  });
});
