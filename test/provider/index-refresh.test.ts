import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { DrainError } from "../../src/drain/errors.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { ApiAnswer } from "../../src/simulator/api/answer.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";
import { keptEngine, warmEngine } from "../support/warm-engine.ts";

describe("the index", () => {
  test.each([
    ["0", 0, 0],
    ["0.5", 30, 32],
    ["2", 120, 123],
  ])("with INDEX_RATE=%s makes so many calls a minute", async (rate, min, max) => {
    const region = new SimulatedRegion();
    for (let number = 0; number < 200; number++) region.group({ name: `g${number}` });
    keptEngine(region, { INDEX_RATE: rate });
    await region.clock.advance(60_000 - 1);
    expect(region.calls.length).toBeGreaterThanOrEqual(min);
    // Both lists are one turn.
    expect(region.calls.length).toBeLessThanOrEqual(max);
    const before = region.calls.length;
    await region.clock.advance(60_000);
    expect(region.calls.length - before).toBeLessThanOrEqual(max);
  });

  test("reads the group that was read longest ago, and asks for terms now and then", async () => {
    const region = new SimulatedRegion();
    for (let number = 0; number < 10; number++) region.group({ name: `g${number}` });
    region.classic({ name: "legacy" });
    keptEngine(region, { INDEX_RATE: "1" });
    await region.clock.advance(120_000);
    const counts = new Map<string, number>();
    for (const params of region.callsOf("DescribeTargetHealth")) {
      const arn = params.get("TargetGroupArn") ?? "";
      counts.set(arn, (counts.get(arn) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
    expect(region.callsOf("DescribeTargetGroupAttributes").length).toBeGreaterThanOrEqual(10);
    expect(region.callsOf("DescribeLoadBalancerAttributes").length).toBeGreaterThanOrEqual(1);
  });

  test.each(["0.025", "0.04", "0.1"])("at the low rate of %s a second still reads each group", async (INDEX_RATE) => {
    const region = new SimulatedRegion();
    const node = region.node();
    for (let number = 0; number < 5; number++) region.group({ name: `g${number}`, nodes: [node] });
    keptEngine(region, { INDEX_RATE });
    await region.clock.advance(3_600_000);
    for (const action of ["DescribeTargetHealth", "DescribeTargetGroupAttributes"])
      expect(new Set(region.callsOf(action).map((params) => params.get("TargetGroupArn"))).size).toBe(5);
    // The list takes every second call at the lowest of these rates, and a quarter of the others reads settings.
    expect(region.callsOf("DescribeTargetHealth").length).toBeGreaterThanOrEqual(15);
    expect(region.callsOf("DescribeInstances").length).toBeGreaterThan(1);
  });

  test.each([
    ["asks how classic load balancers stand, for the guard", "1", 2],
    ["asks no classic load balancer where there is no guard", "0", 0],
  ])("%s", async (_, MIN_HEALTHY, perMinute) => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.classic({ name: "legacy", nodes });
    const engine = await warmEngine(region, { MIN_HEALTHY });
    const before = region.callsOf("DescribeInstanceHealth").length;
    await region.clock.advance(60_000);
    expect(region.callsOf("DescribeInstanceHealth").length - before).toBe(perMinute);
    await engine.stop();
    const from = region.clock.elapsedMs;
    const drained = engine.ask(nodes[0]);
    await region.clock.advance(0);
    // It leaves before anything is read, as from a target group.
    const calls = region.calls.filter(({ at }) => at >= from).map(({ action }) => action);
    expect(calls).toContain("DeregisterInstancesFromLoadBalancer");
    expect(calls).not.toContain("DescribeInstanceHealth");
    expect(await region.clock.run(drained)).toMatchObject({ status: "drained" });
  });

  test("that no process keeps, as in a Lambda function, keeps no health of classic load balancers for the guard", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node(), region.node()] as const;
    region.classic({ name: "legacy", nodes });
    const events: DrainEvent[] = [];
    const drainer = region.engine({ MIN_HEALTHY: "1", GUARD_WAIT: "60" }, events);
    const drain = ({ id }: { readonly id: string }) =>
      region.clock.run(drainer.drain({ node: { by: "id", value: id }, dryRun: false }, never));
    expect(await drain(nodes[0])).toMatchObject({ status: "drained" });
    region.world.setAnswering(nodes[1], false);
    await region.clock.advance(1_800_000);
    await drain(nodes[2]);
    // It is the last healthy one.
    const verdicts = events.flatMap((event) => (event.type === "guarded" ? [event.verdict] : []));
    expect(verdicts).toEqual(["waiting", "kept"]);
  });

  test("forgets the health of a classic load balancer that it can't read any more", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.classic({ name: "legacy", nodes });
    const engine = await warmEngine(region, { MIN_HEALTHY: "1", GUARD_WAIT: "60" });
    region.intercept = ({ action }) =>
      action === "DescribeInstanceHealth" ? elbError("AccessDenied", "not authorized", 403) : undefined;
    region.world.setAnswering(nodes[1], false);
    await region.clock.advance(600_000);
    region.intercept = () => undefined;
    await engine.stop();
    await region.clock.run(engine.ask(nodes[0]));
    const verdicts = engine.events.flatMap((event) => (event.type === "guarded" ? [event.verdict] : []));
    expect(verdicts).toEqual(["waiting", "kept"]);
  });

  test("does not read again what was read within half a minute", async () => {
    const region = new SimulatedRegion();
    for (let number = 0; number < 3; number++) region.group({ name: `g${number}` });
    keptEngine(region, { INDEX_RATE: "10" });
    await region.clock.advance(29_000);
    expect(region.callsOf("DescribeTargetHealth")).toHaveLength(3);
    await region.clock.advance(5_000);
    expect(region.callsOf("DescribeTargetHealth")).toHaveLength(6);
  });

  test.each<[string, () => Partial<ApiAnswer>]>([
    ["throttles", () => elbError("Throttling", "Rate exceeded")],
    ["fails", () => elbError("InternalFailure", "We are sorry", 500)],
    ["denies", () => elbError("AccessDenied", "not authorized", 403)],
  ])("goes on after AWS %s everything for a while, and a drain then finds it ready", async (_, answer) => {
    const region = new SimulatedRegion();
    const node = region.node();
    for (let number = 0; number < 5; number++) region.group({ name: `g${number}`, nodes: [node], delaySeconds: 30 });
    let failing = true;
    region.intercept = ({ action }) => (failing && action !== "DescribeInstances" ? answer() : undefined);
    const engine = keptEngine(region, { QUOTA_SHARE: "1" });
    await region.clock.advance(120_000);
    failing = false;
    await region.clock.advance(60_000);
    const from = region.clock.elapsedMs;
    expect(await region.clock.run(engine.ask(node))).toMatchObject({ status: "drained" });
    const told = region.calls.filter(({ action }) => action === "DeregisterTargets").map(({ at }) => at - from);
    expect(told).toEqual([0, 0, 0, 0, 0]);
  });

  test("one group whose reads fail keeps no other from being read", async () => {
    const region = new SimulatedRegion();
    const groups = Array.from({ length: 6 }, (_, number) => region.group({ name: `g${number}` }));
    region.intercept = ({ action, params }) =>
      action === "DescribeTargetHealth" && params.get("TargetGroupArn") === groups[0]?.arn
        ? elbError("AccessDenied", "not authorized", 403)
        : undefined;
    keptEngine(region);
    await region.clock.advance(55_000);
    const read = new Set(region.callsOf("DescribeTargetHealth").map((params) => params.get("TargetGroupArn")));
    expect(read.size).toBe(6);
  });

  test("that is denied reads is no worse than none: a drain meanwhile works as far as AWS lets it", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    const engine = await warmEngine(region);
    let failing = true;
    region.intercept = ({ action }) =>
      failing && action === "DescribeTargetHealth" ? elbError("InternalFailure", "We are sorry", 500) : undefined;
    const from = region.clock.elapsedMs;
    const drain = engine.ask(node);
    await region.clock.advance(60_000);
    expect(region.calls.filter(({ action }) => action === "DeregisterTargets").map(({ at }) => at - from)).toEqual([0]);
    failing = false;
    expect(await region.clock.run(drain)).toMatchObject({ status: "drained" });
  });

  test("that is stopped calls nobody any more", async () => {
    const region = new SimulatedRegion();
    region.group({ name: "web" });
    const engine = await warmEngine(region);
    await engine.stop();
    const before = region.calls.length;
    await region.clock.advance(600_000);
    expect(region.calls).toHaveLength(before);
    expect(region.clock.sleeping).toBe(0);
  });
});

test("each read that fails is reported, and the reading goes on", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "web", nodes: [region.node()] });
  const failures: DrainError[] = [];
  const environment = { CLOUDPROVIDER: "aws", SECRET: "s", AWS_REGION: region.world.region };
  const { maintainIndex } = createEngine(readConfig({ verb: "serve", environment }), {
    clock: region.clock,
    aws: region.aws(),
    onIndexFailed: (error) => failures.push(error),
  });
  const stop = newAbort();
  const kept = maintainIndex(stop.signal);
  region.intercept = ({ action }) =>
    action === "DescribeTargetGroups" ? elbError("AccessDenied", "User: x is not authorized", 403) : undefined;
  await region.clock.advance(60_000);
  expect(failures.length).toBeGreaterThan(9);
  expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(["access-denied"]));
  const { length } = failures;
  region.intercept = () => undefined;
  await region.clock.advance(60_000);
  expect(failures).toHaveLength(length);
  expect(region.callsOf("DescribeTargetHealth").length).toBeGreaterThan(0);
  stop.abort();
  await kept;
});

describe("what the index says of itself", () => {
  test("is what it knows, how old that is, and why its last read failed", async () => {
    const region = new SimulatedRegion();
    for (let number = 0; number < 4; number++) region.group({ name: `g${number}` });
    region.classic({ name: "legacy" });
    const engine = region.wholeEngine({ INDEX_RATE: "1" });
    const stop = newAbort();
    const state = () => engine.cloudStates()[0]?.index;
    expect(state()).toEqual({ isKept: true, groups: 0, groupsRead: 0, listedWhole: 0 });
    const kept = engine.maintainIndex(stop.signal);
    await region.clock.advance(20_000);
    const now = region.clock.now();
    expect(state()).toMatchObject({ isKept: true, groups: 4, groupsRead: 4, listedWhole: 1 });
    expect(now - (state()?.listedAt ?? 0)).toBeLessThanOrEqual(20_000);
    expect(now - (state()?.oldestReadAt ?? 0)).toBeLessThanOrEqual(20_000);
    region.intercept = () => elbError("AccessDenied", "not authorized", 403);
    await region.clock.advance(30_000);
    expect(state()?.failure?.error.code).toBe("access-denied");
    region.intercept = () => undefined;
    await region.clock.advance(30_000);
    expect(state()?.failure).toBeUndefined();
    stop.abort();
    await region.clock.run(kept);
  });

  test("is told of each account and region", () => {
    const region = new SimulatedRegion();
    const states = region.wholeEngine({ INDEX_RATE: "0" }).cloudStates();
    expect(states).toMatchObject([{ index: { isKept: false }, quotas: [{ name: "all" }] }]);
  });
});
