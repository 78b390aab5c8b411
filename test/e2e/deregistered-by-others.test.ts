import { describe, expect, test } from "vitest";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { warmEngine } from "../support/warm-engine.ts";

/** A node of which a controller deregisters the target of one group, whose load balancer is of this type. */
async function scene(type: "application" | "network", seconds: number) {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()] as const;
  const protocol = type === "network" ? "TCP" : "HTTP";
  const group = region.group({ name: "web", nodes, delaySeconds: 0, type, protocol });
  const engine = await warmEngine(region, { MIN_HEALTHY: "0" });
  region.world.deregisterTarget(group, { id: nodes[0].id });
  // The index reads the group in the meantime, and AWS lists the target no more.
  await region.clock.advance(seconds * 1_000);
  return { region, engine, node: nodes[0], group };
}

describe("a target that a controller has deregistered, and that AWS lists no more when the drain begins,", () => {
  test("is held for as long as its NLB may send traffic", async () => {
    const { region, engine, node } = await scene("network", 100);
    const from = region.clock.elapsedMs;
    expect(await region.clock.run(engine.ask(node))).toMatchObject({
      status: "drained",
      registrations: [{ state: "released", registration: { pool: { name: "web" } } }],
    });
    const heldMs = region.clock.elapsedMs - from;
    // 210 s from when the index missed it: at most 35 s after the deregistration.
    expect(heldMs).toBeGreaterThanOrEqual(110_000);
    expect(heldMs).toBeLessThanOrEqual(150_000);
    expect(region.callsOf("DeregisterTargets")).toHaveLength(0);
  });

  test("is not held any more when that time is over", async () => {
    const { region, engine, node } = await scene("network", 300);
    const from = region.clock.elapsedMs;
    expect(await region.clock.run(engine.ask(node))).toMatchObject({ status: "nothing-registered" });
    expect(region.clock.elapsedMs - from).toBeLessThan(10_000);
  });

  test("is not held for an ALB, which has stopped by then", async () => {
    const { region, engine, node } = await scene("application", 100);
    const from = region.clock.elapsedMs;
    expect(await region.clock.run(engine.ask(node))).toMatchObject({ status: "nothing-registered" });
    expect(region.clock.elapsedMs - from).toBeLessThan(10_000);
  });

  test("is deregistered where it was registered again", async () => {
    const { region, engine, node, group } = await scene("network", 100);
    region.world.registerTarget(group, { id: node.id }, { settled: true });
    await region.clock.advance(60_000);
    expect(await region.clock.run(engine.ask(node))).toMatchObject({ status: "drained" });
    expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
  });
});

test("what a drain has deregistered and held is not held again by a later request", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()] as const;
  region.group({ name: "web", nodes, delaySeconds: 0, type: "network", protocol: "TCP" });
  const engine = await warmEngine(region, { MIN_HEALTHY: "0" });
  expect(await region.clock.run(engine.ask(nodes[0]))).toMatchObject({ status: "drained" });
  await region.clock.advance(1_000);
  const from = region.clock.elapsedMs;
  expect(await region.clock.run(engine.ask(nodes[0]))).toMatchObject({ status: "nothing-registered" });
  expect(region.clock.elapsedMs - from).toBeLessThan(10_000);
});

/** A drain of a node of one group, which is then registered again by a controller, and deregistered by it much later. */
async function registeredAgain(
  type: "application" | "network",
  { deadlineSeconds, delaySeconds }: { readonly deadlineSeconds?: number; readonly delaySeconds: number },
) {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()] as const;
  const protocol = type === "network" ? "TCP" : "HTTP";
  const group = region.group({ name: "web", nodes, delaySeconds, type, protocol });
  const engine = await warmEngine(region, { MIN_HEALTHY: "0" }, new MemoryLedger());
  const first = await region.clock.run(engine.ask(nodes[0], { ...(deadlineSeconds && { deadlineSeconds }) }));
  await region.clock.advance(10_000);
  region.world.registerTarget(group, { id: nodes[0].id }, { settled: true });
  await region.clock.advance(150_000);
  region.world.deregisterTarget(group, { id: nodes[0].id });
  const deregisteredAt = region.clock.elapsedMs;
  await region.clock.advance(45_000);
  const second = await region.clock.run(engine.ask(nodes[0]));
  return { first, second, heldMs: region.clock.elapsedMs - deregisteredAt };
}

describe("a target that was registered again after an earlier drain, and deregistered by a controller since,", () => {
  test("is held where AWS lists it no more, whatever the earlier drain has held", async () => {
    const { first, second, heldMs } = await registeredAgain("network", { delaySeconds: 0 });
    expect([first.status, second.status]).toEqual(["drained", "drained"]);
    // 210 s, and as long as the index takes to miss it.
    expect(heldMs).toBeGreaterThanOrEqual(210_000);
    expect(heldMs).toBeLessThanOrEqual(250_000);
  });

  test.each([
    ["where AWS lists it no more", "network", 0, 210_000],
    ["where AWS lists it as draining", "application", 300, 300_000],
  ] as const)("is not taken for what a drain that ended short was still holding, %s", async (_, type, delay, ms) => {
    const { first, second, heldMs } = await registeredAgain(type, { deadlineSeconds: 30, delaySeconds: delay });
    expect([first.status, second.status]).toEqual(["deadline-passed", "drained"]);
    expect(heldMs).toBeGreaterThanOrEqual(ms);
    expect(heldMs).toBeLessThanOrEqual(ms + 60_000);
  });
});

test("what a drain that ended short held for a Gateway Load Balancer is held for its whole idle timeout of 100 minutes", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()] as const;
  region.group({ name: "firewall", nodes, delaySeconds: 300, type: "gateway", idleTimeoutSeconds: 6_000 });
  const engine = await warmEngine(region, { MIN_HEALTHY: "0" }, new MemoryLedger());
  const from = region.clock.elapsedMs;
  const first = await region.clock.run(engine.ask(nodes[0], { deadlineSeconds: 30 }));
  expect(first).toMatchObject({ status: "deadline-passed" });
  await region.clock.advance(3_700_000);
  expect(await region.clock.run(engine.ask(nodes[0]))).toMatchObject({ status: "drained" });
  expect(region.clock.elapsedMs - from).toBeGreaterThanOrEqual(6_000_000);
});
