import { describe, expect, test } from "vitest";
import { never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { keptEngine, warmEngine } from "../support/warm-engine.ts";

/** A node by its id in one group and by its address in another, known to an engine whose index has read both. */
async function knownNode(options: Readonly<Record<string, string>> = {}) {
  const region = new SimulatedRegion();
  const cluster = options["CLUSTERNAME"];
  const node = region.node({ tags: cluster === undefined ? {} : { [`kubernetes.io/cluster/${cluster}`]: "owned" } });
  const byId = region.group({ name: "by-id", nodes: [node], delaySeconds: 30 });
  const byAddress = region.group({ name: "by-address", nodes: [node], targetType: "ip", delaySeconds: 30 });
  const engine = await warmEngine(region, options);
  // The next list is what instances are described after.
  await region.clock.advance(61_000);
  await engine.stop();
  return { region, node, byId, byAddress, engine };
}

test("a node that is known is deregistered by its id before EC2 is asked, by its addresses afterwards", async () => {
  const { region, node, engine } = await knownNode();
  const from = region.clock.elapsedMs;
  region.simulator.faults.add({ action: "DescribeInstances", effect: { type: "latency", ms: 1_000 } });

  expect(await region.clock.run(engine.ask(node))).toMatchObject({
    status: "drained",
    registrations: [{ state: "released" }, { state: "released" }],
  });
  const asked = ({ action, params }: (typeof region.calls)[number]) =>
    params.get("TargetGroupArn")?.split("/").at(-2) ?? action;
  const calls = region.calls
    .filter(({ at }) => at >= from && at <= from + 1_000)
    .filter(({ action }) => action === "DescribeInstances" || action === "DeregisterTargets");
  expect(calls.map((call) => `${asked(call)} ${call.at - from}`).sort()).toEqual([
    "DescribeInstances 0",
    "by-address 1000",
    "by-id 0",
  ]);
});

test("a node is known as soon as every pool was read, not only after the next list", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], delaySeconds: 30 });
  const engine = await warmEngine(region);
  await engine.stop();
  const from = region.clock.elapsedMs;
  expect(from).toBeLessThan(60_000);
  region.simulator.faults.add({ action: "DescribeInstances", effect: { type: "latency", ms: 1_000 } });
  expect(await region.clock.run(engine.ask(node))).toMatchObject({ status: "drained" });
  const [first] = region.calls.filter(({ at, action }) => at >= from && action === "DeregisterTargets");
  expect(first?.at).toBe(from);
});

test("a known node's address that has gone to another one is left alone", async () => {
  const { region, node, byAddress, engine } = await knownNode();
  region.world.instances.delete(node.id);
  const moved = region.world.addInstance({ id: node.id, vpcId: VPC, privateIp: "10.0.9.9", tags: {} });
  const other = region.node({ privateIp: node.privateIp });

  const outcome = await region.clock.run(engine.ask(moved));

  expect(outcome).toMatchObject({ status: "drained", registrations: [{ registration: { pool: { name: "by-id" } } }] });
  expect(byAddress.listed(region.clock.now()).map(({ id }) => id)).toEqual([other.privateIp]);
});

test("a known node's new address is found, also where its group was read while EC2 was being asked", async () => {
  const { region, node, byAddress, engine } = await knownNode();
  region.world.instances.delete(node.id);
  const moved = region.world.addInstance({ id: node.id, vpcId: VPC, privateIp: "10.0.9.9", tags: {} });
  region.world.registerTarget(byAddress, { id: "10.0.9.9" }, { settled: true });
  region.simulator.faults.add({ action: "DescribeInstances", effect: { type: "latency", ms: 2_000 } });
  // Another node's search reads everything meanwhile.
  const second = region.node();
  const drains = Promise.all([engine.ask(moved), engine.ask(second)]);

  const [outcome] = await region.clock.run(drains);

  const pools = "registrations" in outcome ? outcome.registrations.map(({ registration }) => registration.target) : [];
  expect(pools).toContain(`10.0.9.9:${byAddress.port}`);
});

test("what is known for longer than two and a half minutes is asked again", async () => {
  const { region, node, engine } = await knownNode();
  await region.clock.advance(150_001);
  const from = region.clock.elapsedMs;
  region.simulator.faults.add({ action: "DescribeInstances", effect: { type: "latency", ms: 1_000 } });
  expect(await region.clock.run(engine.ask(node))).toMatchObject({ status: "drained" });
  const [first] = region.calls.filter(({ action, at }) => at >= from && action === "DeregisterTargets");
  expect(first?.at).toBe(from + 1_000);
});

test("an instance of another cluster is never known, and is refused as ever", async () => {
  const { region, byId, engine } = await knownNode({ CLUSTERNAME: "ours" });
  const stranger = region.node({ tags: { "kubernetes.io/cluster/theirs": "owned" } });
  region.world.registerTarget(byId, { id: stranger.id }, { settled: true });
  const again = keptEngine(region, { CLUSTERNAME: "ours" });
  await region.clock.advance(200_000);
  for (const asked of [engine, again]) {
    expect(await region.clock.run(asked.ask(stranger))).toMatchObject({
      status: "failed",
      error: { code: "other-cluster" },
    });
  }
});

test("an instance that was terminated when EC2 was asked is not known: the drain says that it is gone", async () => {
  const { region, node, engine } = await knownNode();
  region.world.terminateInstance(node);
  const again = keptEngine(region);
  await region.clock.advance(200_000);
  expect(await region.clock.run(again.ask(node))).toMatchObject({ status: "instance-gone" });
  await engine.stop();
});

describe("the index reads for a held node whether it is terminated:", () => {
  const describedAt = (region: SimulatedRegion) =>
    region.callsOf("DescribeInstances").filter((params) => params.get("Filter.2.Name") === "instance-state-name")
      .length;

  test("the drain makes no call for it, and ends when the index has seen it", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "slow", nodes, delaySeconds: 300 });
    const engine = await warmEngine(region);
    const drained = engine.ask(nodes[0]);
    await region.clock.advance(120_000);
    region.world.terminateInstance(nodes[0]);
    const before = region.clock.elapsedMs;
    expect(await region.clock.run(drained)).toMatchObject({ status: "drained" });
    const { shuttingDownMs } = region.world.timing;
    expect(region.clock.elapsedMs - before).toBeGreaterThanOrEqual(shuttingDownMs);
    expect(region.clock.elapsedMs - before).toBeLessThanOrEqual(shuttingDownMs + 75_000);
    expect(describedAt(region)).toBe(0);
  });

  test("also while the searches of other drains list the pools, which the index then need not do", async () => {
    const region = new SimulatedRegion();
    const nodes = Array.from({ length: 9 }, () => region.node());
    region.group({ name: "slow", nodes, delaySeconds: 300 });
    const engine = await warmEngine(region);
    const drains = nodes.slice(0, 8).map(async (node, number) => {
      await region.clock.sleep(number * 30_000, never);
      return engine.ask(node);
    });
    expect(await region.clock.run(Promise.all(drains))).toHaveLength(8);
    expect(describedAt(region)).toBe(0);
  });

  test("it is asked again every 15 s once the index has not read it for 75 s", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "slow", nodes, delaySeconds: 300 });
    const engine = await warmEngine(region);
    await engine.stop();
    const readAt = region.callsOf("DescribeInstances").length;
    expect(readAt).toBeGreaterThan(0);
    const drained = engine.ask(nodes[0]);
    await region.clock.advance(60_000);
    const early = describedAt(region);
    await region.clock.advance(60_000);
    expect([early, describedAt(region)]).toEqual([0, 4]);
    region.world.terminateInstance(nodes[0]);
    expect(await region.clock.run(drained)).toMatchObject({ status: "drained" });
  });
});
