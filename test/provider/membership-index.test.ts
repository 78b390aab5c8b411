import { describe, expect, test } from "vitest";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { elbError, never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { type KeptEngine, keptEngine, warmEngine } from "../support/warm-engine.ts";

/** The calls since `from` (virtual milliseconds), `action at`. */
function callsSince(region: SimulatedRegion, from: number): readonly string[] {
  return region.calls.filter(({ at }) => at >= from).map(({ action, at }) => `${action} ${at - from}`);
}

function poolsOf(outcome: Awaited<ReturnType<KeptEngine["ask"]>>): readonly string[] {
  return "registrations" in outcome
    ? outcome.registrations.map(({ registration }) => registration.pool.name).sort()
    : [];
}

const register = (region: SimulatedRegion, group: TargetGroup, { id }: Instance) =>
  region.world.registerTarget(group, { id }, { settled: true });

describe("a drain that the index is ready for", () => {
  test("deregisters at once, without waiting for any read, and verifies afterwards", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    for (let number = 0; number < 5; number++) {
      region.group({ name: `g${number}`, nodes: number < 2 ? [node] : [], delaySeconds: 30 });
    }
    region.classic({ name: "legacy", nodes: [node], drainingSeconds: 30 });
    const engine = await warmEngine(region);
    await engine.stop();
    const from = region.clock.elapsedMs;
    region.simulator.faults.add({ action: "DescribeTargetHealth", effect: { type: "latency", ms: 1 } });

    expect(await region.clock.run(engine.ask(node))).toMatchObject({ status: "drained" });

    const calls = callsSince(region, from);
    expect(calls.filter((call) => call === "DeregisterTargets 0")).toHaveLength(2);
    expect(calls.filter((call) => call === "DeregisterInstancesFromLoadBalancer 0")).toHaveLength(1);
    // Verified: every group was read once since.
    const read = region.calls.filter(({ action, at }) => action === "DescribeTargetHealth" && at === from);
    expect(new Set(read.map(({ params }) => params.get("TargetGroupArn"))).size).toBe(5);
  });

  test("reads first the groups that it does not know the node in, and the others once it is out of them", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const groups = Array.from({ length: 4 }, (_, number) =>
      region.group({ name: `g${number}`, nodes: number < 2 ? [node] : [], delaySeconds: 30 }),
    );
    const engine = await warmEngine(region);
    await engine.stop();
    const before = region.callsOf("DescribeTargetHealth").length;
    const drained = engine.ask(node);
    await region.clock.advance(0);
    const read = region.callsOf("DescribeTargetHealth").slice(before);
    const order = read.map((params) => groups.findIndex(({ arn }) => arn === params.get("TargetGroupArn")));
    expect(order).toEqual([2, 3, 0, 1]);
    await region.clock.run(drained);
  });

  test("finds what was registered after the index last looked, and says drained only after that was held", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "old", nodes: [node], delaySeconds: 30 });
    const missed = region.group({ name: "missed", delaySeconds: 90 });
    const engine = await warmEngine(region);
    await engine.stop();
    register(region, missed, node);
    const from = region.clock.elapsedMs;

    const outcome = await region.clock.run(engine.ask(node));

    expect(outcome).toMatchObject({ status: "drained" });
    expect(poolsOf(outcome)).toEqual(["missed", "old"]);
    expect(region.clock.elapsedMs - from).toBeGreaterThanOrEqual(90_000);
    expect(missed.listed(region.clock.now())).toEqual([]);
  });

  test("does not say drained while it has not verified, however long that takes", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "old", nodes: [node], delaySeconds: 30 });
    const missed = region.group({ name: "missed", delaySeconds: 30 });
    const engine = await warmEngine(region, { QUOTA_SHARE: "0.1" });
    await engine.stop();
    register(region, missed, node);
    const from = region.clock.elapsedMs;
    // The verifying read of this one group takes ten minutes. The quota allows few vain ones.
    region.intercept = ({ action, params }) =>
      action === "DescribeTargetHealth" &&
      params.get("TargetGroupArn") === missed.arn &&
      region.clock.elapsedMs - from < 600_000
        ? elbError("Throttling", "Rate exceeded")
        : undefined;

    const outcome = await region.clock.run(engine.ask(node, { deadlineSeconds: 1_200 }));

    expect(outcome).toMatchObject({ status: "drained" });
    expect(poolsOf(outcome)).toEqual(["missed", "old"]);
    expect(region.clock.elapsedMs - from).toBeGreaterThan(600_000);
  });

  test("finds a group that was made after the index last looked, and one that replaced another of the same name", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const replaced = region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    region.group({ name: "other", nodes: [node], delaySeconds: 30 });
    const engine = await warmEngine(region);
    await engine.stop();
    region.world.targetGroups.delete(replaced.arn);
    const replacing = region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    const made = region.group({ name: "made", nodes: [node], delaySeconds: 30 });

    const outcome = await region.clock.run(engine.ask(node));

    expect(outcome).toMatchObject({ status: "drained" });
    const deregistered = region.callsOf("DeregisterTargets").map((params) => params.get("TargetGroupArn"));
    expect(deregistered).toEqual(expect.arrayContaining([replacing.arn, made.arn]));
    for (const group of [replacing, made]) expect(group.listed(region.clock.now())).toEqual([]);
  });

  test("leaves an address alone that another node has by now", async () => {
    const region = new SimulatedRegion();
    const [old, other] = [region.node(), region.node({ privateIp: "10.0.7.7" })];
    const group = region.group({ name: "web", nodes: [old, other], targetType: "ip", delaySeconds: 30 });
    const engine = await warmEngine(region);
    await engine.stop();
    // The node's address goes to a third one.
    const address = old.privateIp;
    region.world.instances.delete(old.id);
    const moved = region.world.addInstance({ id: old.id, vpcId: VPC, privateIp: "10.0.9.9", tags: {} });
    region.node({ privateIp: address });

    expect(await region.clock.run(engine.ask(moved))).toMatchObject({ status: "nothing-registered" });
    expect(region.callsOf("DeregisterTargets")).toEqual([]);
    expect(group.listed(region.clock.now()).map(({ id }) => id)).toContain(address);
  });

  test.each([
    ["since the groups were listed", 0],
    ["since the group was read", 61_000],
  ])("holds by the rule of a load balancer that has taken a group into use %s", async (_, laterMs) => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.world.addTargetGroup({
      name: "tcp",
      vpcId: VPC,
      protocol: "TCP",
      port: 80,
      targetType: "instance",
    });
    register(region, group, node);
    const engine = await warmEngine(region);
    const loadBalancer = region.world.addLoadBalancer({ name: "tcp-lb", type: "network", vpcId: VPC });
    const forward = [{ type: "forward" as const, groups: [{ arn: group.arn, weight: 1 }] }];
    region.world.addListener(loadBalancer, { protocol: "TCP", port: 80, defaultActions: forward });
    region.intercept = ({ action }) =>
      action === "DescribeTargetHealth" ? elbError("InternalFailure", "sorry", 500) : undefined;
    await region.clock.advance(laterMs);
    await engine.stop();
    region.intercept = () => undefined;

    const outcome = await region.clock.run(engine.ask(node));

    expect(outcome).toMatchObject({ status: "drained", registrations: [{ registration: { pool: { kind: "nlb" } } }] });
    expect("registrations" in outcome && outcome.registrations[0]?.heldMs).toBeGreaterThanOrEqual(300_000);
  });

  test("deregisters what was draining when the index looked and has been registered again since", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node], delaySeconds: 300 });
    region.world.deregisterTarget(group, { id: node.id, port: group.port });
    const engine = await warmEngine(region);
    await engine.stop();
    register(region, group, node);
    const from = region.clock.elapsedMs;
    const outcome = await region.clock.run(engine.ask(node));
    expect(outcome).toMatchObject({ status: "drained", registrations: [{ cameBack: 0 }] });
    expect(callsSince(region, from)).toContain("DeregisterTargets 0");
  });
});

describe("the pools that are meant, with DISCOVERY=tag", () => {
  const TAG = { "kubernetes.io/cluster/demo": "owned" };

  test("are known before anything is told, also where the index reads on meanwhile", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "ours", nodes: [node], tags: TAG, delaySeconds: 30 });
    const theirs = region.group({ name: "theirs", nodes: [node], delaySeconds: 30 });
    region.simulator.faults.add({ action: "DescribeTags", effect: { type: "latency", ms: 5_000 } });
    const engine = await warmEngine(region, { DISCOVERY: "tag" });

    const outcome = await region.clock.run(engine.ask(node));

    expect(outcome).toMatchObject({ status: "drained", elsewhere: [{ pool: { name: "theirs" } }] });
    expect(poolsOf(outcome)).toEqual(["ours"]);
    expect(theirs.listed(region.clock.now())).toHaveLength(1);
  });

  test("count those made since the index looked", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "ours", nodes: [node], tags: TAG, delaySeconds: 30 });
    const engine = await warmEngine(region, { DISCOVERY: "tag" });
    await engine.stop();
    region.group({ name: "made", nodes: [node], tags: TAG, delaySeconds: 30 });
    const outcome = await region.clock.run(engine.ask(node));
    expect(outcome).toMatchObject({ status: "drained", elsewhere: [] });
    expect(poolsOf(outcome)).toEqual(["made", "ours"]);
  });
});

test("an index that is built while groups come and go and nodes are registered misses nothing", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const groups = Array.from({ length: 10 }, (_, number) => region.group({ name: `g${number}`, delaySeconds: 30 }));
  const engine = keptEngine(region, { INDEX_RATE: "2" });
  for (const [round, group] of groups.entries()) {
    await region.clock.advance(1_300);
    if (round % 3 === 0) region.world.targetGroups.delete(group.arn);
    else register(region, group, node);
    region.group({ name: `new${round}`, nodes: round % 2 === 0 ? [node] : [], delaySeconds: 30 });
  }
  const expected = [...region.world.targetGroups.values()]
    .filter((group) => group.listed(region.clock.now()).length > 0)
    .map(({ name }) => name);
  const outcome = await region.clock.run(engine.ask(node));
  expect(outcome).toMatchObject({ status: "drained" });
  expect(poolsOf(outcome)).toEqual(expected.sort());
});

test("a search waits for no group that only another one's list has brought, when that other one is gone", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()];
  region.group({ name: "slow", nodes: [nodes[0] as Instance], delaySeconds: 30 });
  // The first search is at its reads when the second lists a new group, and leaves before it reads that.
  region.simulator.faults.add({
    action: "DescribeTargetHealth",
    when: { first: 1 },
    effect: { type: "latency", ms: 5_000 },
  });
  region.simulator.faults.add({ action: "DescribeInstanceHealth", effect: { type: "latency", ms: 2_000 } });
  const engine = keptEngine(region, { INDEX_RATE: "0" });
  const first = engine.ask(nodes[0] as Instance);
  await region.clock.advance(100);
  region.group({ name: "made", nodes: [nodes[0] as Instance], delaySeconds: 30 });
  region.classic({ name: "legacy", drainingSeconds: 30 });
  const leaving = new AbortController();
  const second = engine.ask(nodes[1] as Instance, { signal: leaving.signal });
  await region.clock.advance(1_000);
  leaving.abort();
  expect(await second).toMatchObject({ status: "abandoned" });
  expect(await region.clock.run(first)).toMatchObject({ status: "drained" });
});

test("a search that has failed with another one's read asks for nothing more, once its own list has come", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "denied" });
  region.simulator.faults.add({ action: "DescribeTargetGroups", effect: { type: "latency", ms: 3_000 } });
  region.intercept = ({ action }) =>
    action === "DescribeTargetHealth" ? elbError("AccessDenied", "not authorized", 403) : undefined;
  const { drainer } = keptEngine(region, { INDEX_RATE: "0" });
  const plan = () => drainer.plan({ node: { by: "id", value: node.id }, dryRun: true }, never);
  const first = plan().catch((error: unknown) => error);
  await region.clock.advance(1_000);
  const second = plan().catch((error: unknown) => error);
  expect(await region.clock.run(Promise.all([first, second]))).toMatchObject([
    { code: "access-denied" },
    { code: "access-denied" },
  ]);
  expect(region.clock.elapsedMs).toBe(3_000);
  await region.clock.advance(60_000);
  expect(region.callsOf("DescribeTargetHealth")).toHaveLength(1);
});

test("a search that has failed asks for nothing more, though its classic load balancers have not answered yet", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "denied" });
  region.classic({ name: "legacy" });
  region.simulator.faults.add({ action: "DescribeInstanceHealth", effect: { type: "latency", ms: 5_000 } });
  region.intercept = ({ action }) =>
    action === "DescribeTargetHealth" ? elbError("AccessDenied", "not authorized", 403) : undefined;
  const { drainer } = keptEngine(region, { INDEX_RATE: "0" });
  const plan = () => drainer.plan({ node: { by: "id", value: node.id }, dryRun: true }, never);
  const first = plan().catch((error: unknown) => error);
  await region.clock.advance(2_000);
  const second = plan().catch((error: unknown) => error);
  expect(await region.clock.run(Promise.all([first, second]))).toMatchObject([
    { code: "access-denied" },
    { code: "access-denied" },
  ]);
  await region.clock.advance(60_000);
  expect(region.callsOf("DescribeTargetHealth")).toHaveLength(2);
});
