import { expect, test } from "vitest";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { keptEngine, warmEngine } from "../support/warm-engine.ts";

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
