import { expect, test } from "vitest";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** 20 nodes in each of 50 groups: a thousand registrations, on a tenth of a minute's worth of AWS's quotas. */
async function wave() {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: 20 }, () => region.node());
  const types = ["application", "network"] as const;
  for (let number = 0; number < 50; number++) {
    region.group({ name: `g${number}`, type: types[number % 2] ?? "network", nodes, delaySeconds: 60 });
  }
  region.simulator.limit(AWS_QUOTAS);
  let throttled = 0;
  const engine = region.engine({ QUOTA_SHARE: "0.8" }, [], (call) => {
    if (call.throttled) throttled += 1;
  });
  const drains = nodes.map(({ id }) => engine.drain({ node: { by: "id", value: id }, dryRun: false }, never));
  const outcomes = await region.clock.run(Promise.all(drains));
  return { region, outcomes, throttled };
}

test("twenty nodes in fifty groups are drained at once within AWS's quotas, and no call is throttled", async () => {
  const { region, outcomes, throttled } = await wave();
  expect(outcomes.map(({ status }) => status)).toEqual(Array(20).fill("drained"));
  for (const outcome of outcomes) expect("registrations" in outcome && outcome.registrations).toHaveLength(50);
  expect(throttled).toBe(0);
  // One call a group, whoever leaves it; one to find who is in it, and looks that all share.
  expect(region.callsOf("DeregisterTargets")).toHaveLength(50);
  expect(region.callsOf("DescribeInstances").length).toBeLessThan(25);
  const lastTold = Math.max(...region.calls.filter(({ action }) => action === "DeregisterTargets").map(({ at }) => at));
  expect(lastTold / 1_000).toBeLessThan(15);
  // The longest hold is the NLBs' 210 s.
  expect(region.clock.elapsedMs / 1_000).toBeLessThan(240);
  expect(region.clock.sleeping).toBe(0);
});

test("two runs make the identical calls at the identical times", async () => {
  const [one, two] = [await wave(), await wave()];
  const shown = ({ region }: typeof one) => region.calls.map(({ action, params, at }) => `${at} ${action} ${params}`);
  expect(shown(one)).toEqual(shown(two));
});
