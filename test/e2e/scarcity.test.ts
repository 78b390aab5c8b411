import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { keptEngine, warmEngine } from "../support/warm-engine.ts";

/** A call of each kind at once, and one (de)registration in five seconds. */
const SCARCE = { QUOTA_SHARE: "0.05", INDEX_RATE: "1" };

/** Which group or load balancer each (de)registration was about, in their order, and when. */
function told(region: SimulatedRegion): readonly { readonly pool: string; readonly at: number }[] {
  return region.calls
    .filter(({ action }) => action.startsWith("Deregister"))
    .map(({ params, at }) => ({
      pool: params.get("LoadBalancerName") ?? params.get("TargetGroupArn")?.split("/")[1] ?? "",
      at,
    }));
}

test("the node with a deadline is deregistered before the one without, though that one came first", async () => {
  const region = new SimulatedRegion();
  const [patient, urgent] = [region.node(), region.node()];
  for (let number = 0; number < 6; number++) {
    region.group({ name: `p${number}`, nodes: [patient], delaySeconds: 30 });
    region.group({ name: `u${number}`, nodes: [urgent], delaySeconds: 30 });
  }
  const engine = await warmEngine(region, { QUOTA_SHARE: "1" });
  await engine.stop();
  const scarce = await warmEngine(region, SCARCE);
  await region.clock.advance(200_000);
  const drains = [scarce.ask(patient), scarce.ask(urgent, { deadlineSeconds: 120 })];
  expect(await region.clock.run(Promise.all(drains))).toMatchObject([{ status: "drained" }, { status: "drained" }]);
  const order = told(region).map(({ pool }) => pool[0]);
  // At most the one call that had its permit already, and one in twenty that goes to whoever has waited longest.
  expect(order.slice(0, 8).filter((owner) => owner === "u").length).toBeGreaterThanOrEqual(6);
});

test("of one node, pools are told in the order of how long they go on sending: NLB, ALB, classic", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.classic({ name: "classic", nodes: [node], drainingSeconds: 30 });
  region.group({ name: "alb", nodes: [node], delaySeconds: 30 });
  region.group({ name: "nlb", type: "network", nodes: [node], delaySeconds: 30 });
  for (let number = 0; number < 20; number++) region.group({ name: `empty${number}` });
  const engine = keptEngine(region, { QUOTA_SHARE: "0.1", INDEX_RATE: "1" });
  await engine.stop();
  // It reads every group, and leaves nothing of what the account may call.
  const request = { node: { by: "id", value: node.id }, dryRun: true } as const;
  await region.clock.run(engine.drainer.plan(request, never));
  const drain = engine.ask(node);
  await region.clock.advance(4_000);
  expect(told(region).map(({ pool }) => pool)).toEqual(["nlb", "alb", "classic"]);
  expect(await region.clock.run(drain)).toMatchObject({ status: "drained" });
});

test("of one kind, pools that send the node traffic are told before those that find it unhealthy", async () => {
  const region = new SimulatedRegion();
  const [node, sick] = [region.node(), region.node()];
  region.world.setAnswering(sick, false);
  region.group({ name: "first", nodes: [sick], delaySeconds: 30 });
  await region.clock.advance(120_000);
  for (let number = 0; number < 6; number++) region.group({ name: `well${number}`, nodes: [node], delaySeconds: 30 });
  region.group({ name: "sick", nodes: [sick], delaySeconds: 30 });
  await region.clock.advance(120_000);
  const engine = await warmEngine(region, SCARCE);
  await region.clock.advance(120_000);
  const drains = [sick, node].map((one) => engine.ask(one, { deadlineSeconds: 600 }));
  await region.clock.run(Promise.all(drains));
  const order = told(region).map(({ pool }) => pool);
  expect(order).toHaveLength(8);
  // One call in twenty goes to the one that has waited longest.
  expect(order.slice(0, 6).filter((pool) => pool.startsWith("well")).length).toBeGreaterThanOrEqual(5);
});

test("a plan says beforehand what waits for the quota, and what that leaves no time for", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  for (let number = 0; number < 6; number++) region.group({ name: `g${number}`, nodes: [node], delaySeconds: 90 });
  const { drainer } = keptEngine(region, { QUOTA_SHARE: "0.05", INDEX_RATE: "0" });
  const plan = await region.clock.run(
    drainer.plan({ node: { by: "id", value: node.id }, dryRun: true, deadline: region.clock.now() + 130_000 }, never),
  );
  const waits = plan.registrations.map(({ waitMs }) => waitMs).sort((a, b) => a - b);
  // The search has just used what the account may call.
  expect(waits[0]).toBeLessThanOrEqual(2_000);
  expect(waits.at(-1)).toBe(25_000);
  expect(plan.registrations.filter(({ shortByMs }) => shortByMs > 0).length).toBeGreaterThan(0);
  expect(plan.registrations.every(({ waitMs, shortByMs }) => shortByMs === 0 || waitMs > 0)).toBe(true);
  expect(plan.warnings).toEqual([
    expect.stringContaining("delays the last deregistration by 25 s"),
    expect.stringContaining("traffic may be lost"),
  ]);
});

test("a throttled batch is as urgent at its next attempt as it was before", async () => {
  const region = new SimulatedRegion();
  const [urgent, patient] = [region.node(), region.node()];
  region.group({ name: "urgent", nodes: [urgent], delaySeconds: 30 });
  for (let number = 0; number < 8; number++) region.group({ name: `p${number}`, nodes: [patient], delaySeconds: 30 });
  const engine = await warmEngine(region, SCARCE);
  await region.clock.advance(120_000);
  const remove = region.simulator.faults.add({
    action: "DeregisterTargets",
    when: { first: 1 },
    effect: { type: "error", code: "Throttling" },
  });
  const drains = [engine.ask(urgent, { deadlineSeconds: 120 }), engine.ask(patient)];
  expect(await region.clock.run(Promise.all(drains))).toMatchObject([{ status: "drained" }, { status: "drained" }]);
  remove();
  expect(
    told(region)
      .slice(0, 2)
      .map(({ pool }) => pool),
  ).toEqual(["urgent", "urgent"]);
});

test("the index gives way to drains, and is not starved by them", async () => {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: 5 }, () => region.node());
  // So many groups that the drains alone want every second of the quota.
  for (let number = 0; number < 100; number++) region.group({ name: `g${number}`, nodes, delaySeconds: 300 });
  region.simulator.limit(AWS_QUOTAS);
  const purposes: string[] = [];
  const engine = region.wholeEngine({ QUOTA_SHARE: "0.1" }, [], ({ purpose }) => purposes.push(purpose));
  const stop = newAbort();
  const kept = engine.maintainIndex(stop.signal);
  const busy = async (number: number) => {
    while (!stop.signal.aborted) {
      await engine.drainer.drain({ node: { by: "id", value: nodes[number]?.id ?? "" }, dryRun: false }, never);
    }
  };
  const draining = Promise.all([busy(0), busy(1), busy(2)]);
  await region.clock.advance(300_000);
  stop.abort();
  await region.clock.run(Promise.all([draining, kept]));
  const refreshing = purposes.filter((purpose) => purpose === "refresh").length;
  expect(refreshing).toBeGreaterThan(0);
  expect(refreshing / purposes.length).toBeLessThan(0.1);
});
