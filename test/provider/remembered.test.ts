import { describe, expect, test } from "vitest";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";
import { keptEngine, warmEngine } from "../support/warm-engine.ts";
import { OTHER_VPC, providerOf } from "./support.ts";

/** A node in an ALB's group and a classic load balancer. */
function scene() {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  region.classic({ name: "legacy", nodes: [node], drainingSeconds: 60 });
  return { region, node, reference: { by: "id", value: node.id } as const };
}

test("a node's status and plan come from memory where it is complete, without a read, and say how old that is", async () => {
  const { region, reference } = scene();
  const { drainer, stop } = await warmEngine(region);
  await stop();
  await region.clock.advance(40_000);
  const before = region.calls.length;

  const status = await drainer.status(reference, never);
  const plan = await drainer.plan({ node: reference, dryRun: true }, never);

  expect(status.registrations.map(({ pool, detail }) => [pool.name, detail])).toEqual([
    ["web", "healthy"],
    ["legacy", "registered"],
  ]);
  expect(plan.registrations.map(({ registration }) => registration.pool.name)).toEqual(["web", "legacy"]);
  for (const { asOf } of [status, plan]) {
    expect(region.clock.now() - asOf).toBeGreaterThanOrEqual(40_000);
    expect(region.clock.now() - asOf).toBeLessThan(100_000);
  }
  const calls = region.calls.slice(before).map(({ action }) => action);
  // The node itself, once each; and how a pool lets go, where that is not remembered yet.
  expect(calls.filter((action) => !action.endsWith("Attributes"))).toEqual(["DescribeInstances", "DescribeInstances"]);
});

test("what is remembered is not told when it is too old, or not all that there is: then AWS is asked", async () => {
  const { region, reference } = scene();
  const { drainer, stop } = await warmEngine(region);
  await stop();
  await region.clock.advance(200_000);
  const { asOf } = await drainer.status(reference, never);
  expect(asOf).toBe(region.clock.now());

  const young = keptEngine(region);
  await region.clock.advance(500);
  const before = region.calls.length;
  await young.drainer.status(reference, never);
  expect(region.calls.slice(before).map(({ action }) => action)).toContain("DescribeTargetHealth");
});

test("what was deregistered a moment ago is remembered so, in either kind of pool", async () => {
  const { region, node, reference } = scene();
  const engine = await warmEngine(region);
  const drain = engine.ask(node);
  await region.clock.advance(1_000);

  const status = await engine.drainer.status(reference, never);

  expect(status.registrations.map(({ pool, detail }) => [pool.name, detail])).toEqual([
    ["web", expect.stringMatching(/^draining/)],
  ]);
  expect(status.drain?.registrations.map(({ state }) => state)).toEqual(["holding", "holding"]);
  expect(await region.clock.run(drain)).toMatchObject({ status: "drained" });
});

describe("while AWS does not answer, a node's status", () => {
  const mute = (region: SimulatedRegion) => region.simulator.faults.add({ effect: { type: "hang" } });

  test.each([
    ["a minute", 60_000],
    ["ten minutes", 600_000],
  ])("comes from memory within a second after %s, and says how old that is", async (_, ms) => {
    const { region, reference } = scene();
    const { drainer } = await warmEngine(region);
    const lastRead = region.clock.now();
    mute(region);
    await region.clock.advance(ms);
    const askedAt = region.clock.now();

    const status = await region.clock.run(drainer.status(reference, never));

    expect(region.clock.now() - askedAt).toBeLessThan(1_000);
    expect(status.registrations.map(({ pool }) => pool.name)).toEqual(["web", "legacy"]);
    expect(status.asOf).toBeLessThanOrEqual(lastRead);
    const [, age] = /^this was read (\d+) s ago, and may have changed since/.exec(status.warning ?? "") ?? [];
    expect(Number(age)).toBe(Math.round((region.clock.now() - status.asOf) / 1_000));
  });

  test("is that of a node whose pools list only its address, once a caller has asked about it", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "pods", targetType: "ip", nodes: [node] });
    const { drainer } = await warmEngine(region);
    for (const reference of [
      { by: "id", value: node.id },
      { by: "ip", value: node.privateIp },
    ] as const) {
      await region.clock.run(drainer.status(reference, never));
    }
    mute(region);
    await region.clock.advance(300_000);
    for (const reference of [
      { by: "id", value: node.id },
      { by: "ip", value: node.privateIp },
    ] as const) {
      const { registrations } = await region.clock.run(drainer.status(reference, never));
      expect(registrations.map(({ target }) => target)).toEqual(["10.0.0.1:30080"]);
    }
  });

  test("names a target in another VPC as doubtful, because only AWS could say whose it is", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const peered = region.group({ name: "peered", targetType: "ip", vpcId: OTHER_VPC });
    region.world.registerTarget(peered, { id: node.privateIp, zone: "all" }, { settled: true });
    region.group({ name: "web", nodes: [node] });
    const { drainer } = await warmEngine(region);
    await region.clock.advance(61_000);
    mute(region);
    await region.clock.advance(1_000);
    const status = await region.clock.run(drainer.status({ by: "id", value: node.id }, never));
    expect(status.registrations.map(({ pool }) => pool.name)).toEqual(["web"]);
    expect(status.elsewhere).toMatchObject([{ pool: { name: "peered" }, doubt: expect.stringContaining("not asked") }]);
  });

  test("with DISCOVERY=tag goes by the tags that were read last", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "ours", nodes: [node], tags: { "kubernetes.io/cluster/demo": "owned" } });
    region.group({ name: "theirs", nodes: [node] });
    const { drainer } = await warmEngine(region, { DISCOVERY: "tag" });
    await region.clock.advance(61_000);
    mute(region);
    await region.clock.advance(300_000);
    const status = await region.clock.run(drainer.status({ by: "id", value: node.id }, never));
    expect(status.registrations.map(({ pool }) => pool.name)).toEqual(["ours"]);
    expect(status.elsewhere.map(({ pool }) => pool.name)).toEqual(["theirs"]);
  });

  test("is a failure where nothing is remembered", async () => {
    const { region, reference } = scene();
    const { drainer } = region.wholeEngine({ INDEX_RATE: "0" });
    mute(region);
    const status = drainer.status(reference, never).catch((error: unknown) => error);
    expect(await region.clock.run(status)).toMatchObject({ code: "unreachable" });
  });
});

test.each(["UnauthorizedOperation", "RequestExpired"])(
  "where AWS answers a look at a node with %s, memory answers, with AWS's refusal as a warning",
  async (code) => {
    const { region, reference } = scene();
    const { drainer } = await warmEngine(region);
    region.simulator.faults.add({ action: "DescribeInstances", effect: { type: "error", code, status: 403 } });
    const status = await region.clock.run(drainer.status(reference, never));
    expect(status.registrations).toHaveLength(2);
    expect(status.warning).toContain("ec2:DescribeInstances");
  },
);

test("a node that AWS says is terminated is not told from memory", async () => {
  const { region, node, reference } = scene();
  const { drainer } = await warmEngine(region);
  region.world.terminateInstance(node);
  await region.clock.advance(60_000);
  const status = drainer.status(reference, never).catch((error: unknown) => error);
  expect(await region.clock.run(status)).toMatchObject({ code: "instance-gone" });
});

test("where AWS does not say whose an address in another VPC is, a plan from memory fails instead of leaving it out", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const peered = region.group({ name: "peered", targetType: "ip", vpcId: OTHER_VPC });
  region.world.registerTarget(peered, { id: node.privateIp, zone: "all" }, { settled: true });
  const { drainer } = await warmEngine(region);
  region.intercept = ({ action, params }) =>
    action === "DescribeInstances" && [...params.values()].includes("network-interface.addresses.private-ip-address")
      ? elbError("InternalError", "it failed", 500)
      : undefined;
  const plan = drainer
    .plan({ node: { by: "id", value: node.id }, dryRun: true }, never)
    .catch((error: unknown) => error);
  expect(await region.clock.run(plan)).toMatchObject({ code: "unavailable" });
});

test("what is remembered says since when each group has been known; a group that is created later had no members before", async () => {
  const { region, node } = scene();
  const provider = providerOf(region, { indexPerSecond: 10 });
  const by = { urgency: () => ({ purpose: "find", deadline: Infinity }) as const, signal: never };
  const machine = await provider.resolve({ by: "id", value: node.id }, never);
  const knownSince = async () => (await provider.provider.remembered(machine, by))?.knownSince;
  expect(await knownSince()).toBeUndefined();
  const firstReadAt = region.clock.now();
  await provider.findRegistrations(machine, never);
  await region.clock.advance(30_000);
  region.group({ name: "created-later", nodes: [node] });
  await provider.findRegistrations(machine, never);
  expect(await knownSince()).toBe(firstReadAt);
});
