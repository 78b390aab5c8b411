import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { ALL_CASES } from "../support/cases.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** How long two processes share the quotas, and how much of it is for finding each other. */
const [SHARED_SECONDS, SETTLING_SECONDS] = ALL_CASES ? [240, 60] : [65, 45];

test("two processes that share an account's quotas settle by themselves: nothing fails, and neither gets less than a third", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()];
  for (let number = 0; number < 30; number++) region.group({ name: `g${number}`, nodes });
  region.simulator.limit(AWS_QUOTAS);
  const stop = newAbort();
  const answered = [0, 0];
  let throttled = 0;
  const busy = async (process: number) => {
    // Each takes itself for the only one.
    const { drainer } = region.wholeEngine({ QUOTA_SHARE: "1" }, [], (call) => {
      if (region.clock.elapsedMs < SETTLING_SECONDS * 1_000) return;
      if (call.throttled) throttled += 1;
      else answered[process] = (answered[process] ?? 0) + 1;
    });
    // The second one comes when the first has the quota for itself.
    await region.clock.sleep(process * 20_000, never);
    while (!stop.signal.aborted) {
      const plan = await drainer.plan({ node: { by: "id", value: nodes[process]?.id ?? "" }, dryRun: true }, never);
      expect(plan.registrations).toHaveLength(30);
    }
  };
  const both = Promise.all([busy(0), busy(1)]);
  await region.clock.advance(SHARED_SECONDS * 1_000);
  stop.abort();
  await region.clock.run(both);

  const [one = 0, two = 0] = answered;
  const all = one + two;
  expect(Math.min(one, two) / all).toBeGreaterThan(1 / 3);
  // What AWS gives, 10 a second, is nearly all used, and few calls are wasted on finding that out.
  expect(all).toBeGreaterThan((SHARED_SECONDS - SETTLING_SECONDS) * 10 * 0.8);
  expect(throttled / all).toBeLessThan(0.25);
});

/** So many groups each node is in that they drain. */
const GROUPS = ALL_CASES ? 30 : 12;

test("two processes that drain 20 nodes each at the same time drain all of them, each in a call a group", async () => {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: 40 }, () => region.node());
  for (let number = 0; number < GROUPS; number++) region.group({ name: `g${number}`, nodes, delaySeconds: 60 });
  region.simulator.limit(AWS_QUOTAS);
  const drains = nodes.map(({ id }, index) => ({ id, engine: index % 2 }));
  const engines = [region.engine({ QUOTA_SHARE: "0.8" }), region.engine({ QUOTA_SHARE: "0.8" })];
  const outcomes = await region.clock.run(
    Promise.all(
      drains.map(({ id, engine }) => engines[engine]?.drain({ node: { by: "id", value: id }, dryRun: false }, never)),
    ),
  );
  expect(outcomes.map((outcome) => outcome?.status)).toEqual(Array(40).fill("drained"));
  expect(region.clock.sleeping).toBe(0);
});
