import { DescribeInstancesCommand, StartInstancesCommand, StopInstancesCommand } from "@aws-sdk/client-ec2";
import { DescribeInstanceHealthCommand } from "@aws-sdk/client-elastic-load-balancing";
import { describe, expect, test } from "vitest";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { DRAINING, NOT_REGISTERED, pool } from "./pool.ts";

const CHECKED = {
  State: "initial",
  Reason: "Elb.InitialHealthChecking",
  Description: "Initial health checks in progress",
};
const STOPPED = { State: "unused", Reason: "Target.InvalidState", Description: "Target is in the stopped state" };

/** Two nodes in a group, of which one can be stopped and started as EC2's clients do it. */
function pair() {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const group = region.group({ name: "web", nodes: [node, other], delaySeconds: 60 });
  const { ec2 } = region.clients();
  const InstanceIds = [node.id];
  const state = async () =>
    (await ec2.send(new DescribeInstancesCommand({ InstanceIds }))).Reservations?.[0]?.Instances?.[0]?.State?.Name;
  const stop = () => ec2.send(new StopInstancesCommand({ InstanceIds }));
  const start = () => ec2.send(new StartInstancesCommand({ InstanceIds }));
  return { region, node, other, group, ec2, state, stop, start, ...pool(region, group) };
}

describe("EC2", () => {
  test.each([
    ["by default", {}, false],
    ["with SkipOsShutdown", { SkipOsShutdown: true }, true],
    ["with Hibernate", { Hibernate: true }, true],
    ["with Force", { Force: true }, false],
  ])("stops an instance so that it vanishes from the network, or not: %s", async (_, how, vanishes) => {
    const { ec2, node, start, region } = pair();
    await ec2.send(new StopInstancesCommand({ InstanceIds: [node.id], ...how }));
    expect(node.hasVanished).toBe(vanishes);
    await region.clock.advance(5_000);
    await start();
    expect(node.hasVanished).toBe(false);
  });

  test("stops an instance by way of stopping, and starts it by way of pending", async () => {
    const { region, state, stop, start } = pair();
    expect(await stop()).toMatchObject({
      StoppingInstances: [{ PreviousState: { Name: "running" }, CurrentState: { Code: 64, Name: "stopping" } }],
    });
    await region.clock.advance(4_999);
    expect(await state()).toBe("stopping");
    await region.clock.advance(1);
    expect(await state()).toBe("stopped");
    expect(await start()).toMatchObject({
      StartingInstances: [{ PreviousState: { Code: 80 }, CurrentState: { Code: 0, Name: "pending" } }],
    });
    await region.clock.advance(5_000);
    expect(await state()).toBe("running");
  });

  test("answers with success when it is asked for what is so already", async () => {
    const { state, stop, start } = pair();
    await start();
    expect(await state()).toBe("running");
    await stop();
    await stop();
    expect(await state()).toBe("stopping");
  });

  test("refuses to start an instance that is stopping, and to stop one that ends", async () => {
    const { region, node, stop, start } = pair();
    await stop();
    const name = "IncorrectInstanceState";
    await expect(start()).rejects.toMatchObject({ name, message: expect.stringContaining("can be started") });
    region.world.terminateInstance(node);
    await expect(stop()).rejects.toMatchObject({ name, message: expect.stringContaining("can be stopped") });
  });
});

describe("a stopped instance", () => {
  test("stays listed in its groups as unused for its state, until it is started and checked", async () => {
    const { region, stop, start, list, states } = pair();
    await stop();
    await region.clock.advance(5_000);
    expect((await list())[0]?.TargetHealth).toEqual(STOPPED);
    await region.clock.advance(3_600_000);
    expect(await states()).toEqual(["unused", "healthy"]);
    await start();
    expect((await list())[0]?.TargetHealth).toEqual(CHECKED);
    await region.clock.advance(5_000 + 29_999);
    expect((await list())[0]?.TargetHealth).toEqual(CHECKED);
    await region.clock.advance(1);
    expect(await states()).toEqual(["healthy", "healthy"]);
    expect(region.callsOf("RegisterTargets")).toEqual([]);
  });

  test.each([
    ["within the time in which its health checks fail", 10_000],
    ["after an hour", 3_600_000],
  ])("is checked like a new one when it is started again %s", async (_, offMs) => {
    const { region, stop, start, list } = pair();
    await stop();
    await region.clock.advance(offMs);
    await start();
    expect((await list())[0]?.TargetHealth).toEqual(CHECKED);
    await region.clock.advance(3_600_000);
    expect((await list())[0]?.TargetHealth).toEqual({ State: "healthy" });
  });

  test("fails its checks by its address until it runs again: of an address AWS knows no instance", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "pods", targetType: "ip", nodes: [node] });
    const { states } = pool(region, group);
    region.world.stopInstance(node);
    await region.clock.advance(60_000);
    expect(await states()).toEqual(["unhealthy"]);
    region.world.startInstance(node);
    await region.clock.advance(5_000);
    expect(await states()).toEqual(["unhealthy"]);
    await region.clock.advance(5 * 30_000);
    expect(await states()).toEqual(["healthy"]);
  });

  test("gets no traffic once its load balancer has noticed, not even when no other target is healthy", async () => {
    const { region, node, other, group, stop } = pair();
    const receivers = () => group.routable(region.clock.now(), 0, 2).map(({ id }) => id);
    region.world.setAnswering(other, false);
    await region.clock.advance(60_000);
    await stop();
    await region.clock.advance(5_000 + 3_999);
    expect(receivers()).toEqual([node.id]);
    await region.clock.advance(1);
    expect(receivers()).toEqual([other.id]);
  });

  test("is drained like any other", async () => {
    const { region, node, stop, deregister, name } = pair();
    await stop();
    await region.clock.advance(5_000);
    await deregister({ Id: node.id });
    expect(await name({ Id: node.id })).toEqual([DRAINING]);
    await region.clock.advance(60_000);
    expect(await name({ Id: node.id })).toEqual([NOT_REGISTERED]);
  });

  test.each(["stopping", "stopped", "pending"])("can't be registered while it is %s", async (expected) => {
    const { region, node, state, stop, start, register } = pair();
    await stop();
    if (expected !== "stopping") await region.clock.advance(5_000);
    if (expected === "pending") await start();
    expect(await state()).toBe(expected);
    await expect(register({ Id: node.id, Port: 81 })).rejects.toMatchObject({
      Code: "InvalidTarget",
      message: `The following targets are not in a running state and cannot be registered: '${node.id}'`,
    });
  });

  test("is out of service in a classic load balancer, which says why, until it is started and checked", async () => {
    const { region, node, stop, start } = pair();
    region.classic({ name: "old", nodes: [node] });
    await stop();
    await region.clock.advance(5_000);
    const command = new DescribeInstanceHealthCommand({ LoadBalancerName: "old" });
    const { classic } = region.clients();
    const state = async () => (await classic.send(command)).InstanceStates;
    expect(await state()).toMatchObject([
      { State: "OutOfService", ReasonCode: "Instance", Description: "Instance is in stopped state." },
    ]);
    await start();
    await region.clock.advance(5_000);
    expect(await state()).toMatchObject([
      { State: "OutOfService", ReasonCode: "ELB", Description: "Instance registration is still in progress." },
    ]);
    await region.clock.advance(30_000);
    expect(await state()).toMatchObject([{ State: "InService" }]);
    expect(region.callsOf("RegisterInstancesWithLoadBalancer")).toEqual([]);
  });
});
