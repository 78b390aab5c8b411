import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { elbError, SimulatedRegion } from "../support/simulated-region.ts";
import { keptEngine, warmEngine } from "../support/warm-engine.ts";

describe("throttling that never ends", () => {
  // Few calls: each more would be throttled like those before it.
  const QUOTA_SHARE = "0.1";
  const throttle = (region: SimulatedRegion, actions: RegExp) => {
    region.intercept = ({ action }) => (actions.test(action) ? elbError("Throttling", "Rate exceeded") : undefined);
  };

  test("of every call ends a drain at its deadline, and says what AWS did", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    throttle(region, /./);
    const engine = keptEngine(region, { QUOTA_SHARE, INDEX_RATE: "0" });
    expect(await region.clock.run(engine.ask(node, { deadlineSeconds: 120 }))).toMatchObject({
      status: "deadline-passed",
      searched: false,
      error: { code: "throttled" },
      registrations: [],
    });
    expect(region.clock.elapsedMs).toBe(110_000);
    expect(region.clock.sleeping).toBe(0);
  });

  test("of every call ends a drain without a deadline too, and says what AWS did", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    throttle(region, /^Describe(Target|Load)/);
    const engine = keptEngine(region, { QUOTA_SHARE: "0.8", INDEX_RATE: "0" });
    const outcome = await region.clock.run(engine.ask(node));
    expect(outcome).toMatchObject({ status: "failed", error: { code: "throttled" } });
    expect(region.clock.elapsedMs).toBeLessThan(15 * 60_000);
    expect(region.clock.sleeping).toBe(0);
  });

  test.each(["DescribeTargetGroups", "DescribeTargetHealth"])("of %s alone does so too", async (action) => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    throttle(region, new RegExp(action));
    const engine = keptEngine(region, { QUOTA_SHARE, INDEX_RATE: "0" });
    expect(await region.clock.run(engine.ask(node, { deadlineSeconds: 120 }))).toMatchObject({
      status: "deadline-passed",
      searched: false,
      error: { code: "throttled", message: expect.stringContaining(action) },
    });
  });

  test("of looks holds to the deadline, and says why nobody knows", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    const engine = await warmEngine(region, { QUOTA_SHARE });
    await engine.stop();
    const drain = engine.ask(node, { deadlineSeconds: 1_000 });
    await region.clock.advance(5_000);
    throttle(region, /DescribeTargetHealth/);
    expect(await region.clock.run(drain)).toMatchObject({
      status: "deadline-passed",
      registrations: [{ state: "holding", error: { code: "throttled" } }],
    });
  });

  test("of how pools let go ends a drain without a deadline too", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    throttle(region, /Attributes/);
    const engine = keptEngine(region, { QUOTA_SHARE, INDEX_RATE: "0" });
    const outcome = await region.clock.run(engine.ask(node));
    expect(outcome).toMatchObject({ status: "failed", error: { code: "throttled" } });
    expect(region.clock.elapsedMs).toBeLessThan(30 * 60_000);
  });

  test("of how pools let go is named at the deadline", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    throttle(region, /Attributes/);
    const engine = keptEngine(region, { QUOTA_SHARE, INDEX_RATE: "0" });
    expect(await region.clock.run(engine.ask(node, { deadlineSeconds: 21 }))).toMatchObject({
      status: "deadline-passed",
      registrations: [{ state: "holding", error: { code: "throttled" } }],
    });
  });
});

describe("what fails in passing", () => {
  test("while a node with a deadline is looked up costs time, and not the drain", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    region.simulator.faults.add({ api: "ec2", when: { first: 12 }, effect: { type: "reset" } });
    const engine = keptEngine(region, { INDEX_RATE: "0" });
    expect(await region.clock.run(engine.ask(node, { deadlineSeconds: 300 }))).toMatchObject({ status: "drained" });
    const late = keptEngine(region, { INDEX_RATE: "0" });
    region.simulator.faults.add({ api: "ec2", effect: { type: "reset" } });
    const from = region.clock.elapsedMs;
    // Who has no deadline can ask again.
    expect(await region.clock.run(late.ask(node))).toMatchObject({ status: "failed", error: { code: "unreachable" } });
    expect(region.clock.elapsedMs - from).toBeLessThan(60_000);
  });

  test("while a node is verified drops nothing that is held, and finds each registration once", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 60 });
    region.group({ name: "other", nodes: [node], delaySeconds: 60 });
    const engine = await warmEngine(region);
    await engine.stop();
    region.simulator.faults.add({ action: "DescribeTargetHealth", when: { first: 20 }, effect: { type: "reset" } });
    const outcome = await region.clock.run(engine.ask(node));
    expect(outcome).toMatchObject({ status: "drained", registrations: [{ cameBack: 0 }, { cameBack: 0 }] });
    expect(region.callsOf("DeregisterTargets")).toHaveLength(2);
  });
});

describe("a call that never answers", () => {
  test.each([
    "DescribeInstances",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "DescribeTargetGroupAttributes",
    "DeregisterTargets",
  ])("%s: the drain ends by its deadline, and nothing is left", async (action) => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    region.simulator.faults.add({ action, effect: { type: "hang" } });
    const engine = keptEngine(region, { INDEX_RATE: "0" });
    expect(await region.clock.run(engine.ask(node, { deadlineSeconds: 120 }))).toMatchObject({
      status: "deadline-passed",
    });
    expect(region.clock.elapsedMs).toBe(110_000);
    await region.clock.advance(0);
    expect(region.clock.sleeping).toBe(0);
  });

  test.each(["DescribeTargetGroups", "DescribeTargetHealth", "DeregisterTargets"])(
    "%s for one node: drains of others that come later go on",
    async (action) => {
      const region = new SimulatedRegion();
      const [first, second] = [region.node(), region.node()];
      region.group({ name: "web", nodes: [first, second], delaySeconds: 30 });
      region.simulator.faults.add({ action, when: { first: 1 }, effect: { type: "hang" } });
      const engine = keptEngine(region, { INDEX_RATE: "0" });
      const one = engine.ask(first, { deadlineSeconds: 120 });
      await region.clock.advance(1_000);
      const two = engine.ask(second);
      expect(await region.clock.run(Promise.all([one, two]))).toMatchObject([{}, { status: "drained" }]);
      await region.clock.advance(0);
      expect(region.clock.sleeping).toBe(0);
    },
  );
});

describe("under AWS's quotas nothing is left behind", () => {
  /** Five nodes in thirty groups and three classic load balancers, a tenth of the quotas. */
  async function scene(options: { readonly isWarm: boolean; readonly delaySeconds?: number }) {
    const region = new SimulatedRegion();
    const nodes = Array.from({ length: 5 }, () => region.node());
    for (let number = 0; number < 30; number++)
      region.group({ name: `g${number}`, nodes, delaySeconds: options.delaySeconds ?? 60 });
    for (let number = 0; number < 3; number++) region.classic({ name: `c${number}`, nodes, drainingSeconds: 30 });
    region.simulator.limit(AWS_QUOTAS);
    const engine = options.isWarm
      ? await warmEngine(region, { QUOTA_SHARE: "0.1" })
      : keptEngine(region, { QUOTA_SHARE: "0.1" });
    await engine.stop();
    return { region, nodes: nodes as [Instance, ...Instance[]], engine };
  }

  async function expectNothingLeft(region: SimulatedRegion, signal: AbortSignal) {
    await region.clock.advance(0);
    expect(region.clock.sleeping).toBe(0);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    const before = region.calls.length;
    await region.clock.advance(3_600_000);
    expect(region.calls).toHaveLength(before);
  }

  test.each([
    ["warm", true, 500],
    ["warm", true, 40_000],
    ["cold", false, 500],
    ["cold", false, 10_000],
    ["cold", false, 60_000],
  ])("by drains that are abandoned while they wait for it (%s: %s, after %i ms)", async (_, isWarm, ms) => {
    const { region, nodes, engine } = await scene({ isWarm });
    const leaving = newAbort();
    const drains = nodes.map((node) => engine.ask(node, { signal: leaving.signal }));
    await region.clock.advance(ms);
    leaving.abort();
    const outcomes = await Promise.all(drains);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill("abandoned"));
    await expectNothingLeft(region, leaving.signal);
  });

  test("by drains whose deadline passes while they wait", async () => {
    const { region, nodes, engine } = await scene({ isWarm: true });
    const { signal } = newAbort();
    const outcomes = await region.clock.run(
      Promise.all(nodes.map((node) => engine.ask(node, { signal, deadlineSeconds: 30 }))),
    );
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: "deadline-passed" });
    await expectNothingLeft(region, signal);
  });

  test("by a drain whose node is terminated in the middle, and the others go on", async () => {
    const { region, nodes, engine } = await scene({ isWarm: true, delaySeconds: 300 });
    const { signal } = newAbort();
    const from = region.clock.elapsedMs;
    const drains = nodes.map((node) => engine.ask(node, { signal }));
    await region.clock.advance(10_000);
    region.world.terminateInstance(nodes[0]);
    expect(await region.clock.run(drains[0] as Promise<unknown>)).toMatchObject({ status: "drained" });
    expect(region.clock.elapsedMs - from).toBeLessThan(120_000);
    const outcomes = await region.clock.run(Promise.all(drains));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill("drained"));
    await expectNothingLeft(region, signal);
  });

  test("by one of several, of which one is abandoned", async () => {
    const { region, nodes, engine } = await scene({ isWarm: false });
    const { signal } = newAbort();
    const leaving = newAbort();
    const [leaver, ...others] = nodes.map((node, index) =>
      engine.ask(node, { signal: index === 0 ? leaving.signal : signal }),
    );
    await region.clock.advance(12_000);
    leaving.abort();
    expect(await leaver).toMatchObject({ status: "abandoned" });
    const outcomes = await region.clock.run(Promise.all(others));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(4).fill("drained"));
    await expectNothingLeft(region, signal);
  });
});
