import { expect, test } from "vitest";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { providerOf } from "./support.ts";

const NODES = 20;
/** Each so long after the one before. */
const APART_MS = 5;
/** How long AWS takes for an answer, and how many of its answers are enough for nodes that come for 95 ms. */
const CALLS = [
  { action: "DescribeInstances", ms: 10, enough: 11 },
  { action: "DescribeTargetGroups", ms: 30, enough: 5 },
  { action: "DescribeTargetHealth", ms: 90, enough: 3 },
];

test("nodes that are asked for one by one share calls, however little the request quota holds them up", async () => {
  const region = new SimulatedRegion();
  await region.sdkIsLoaded();
  const nodes = Array.from({ length: NODES }, () => region.node());
  region.group({ name: "web", nodes });
  for (const { action, ms } of CALLS) region.simulator.faults.add({ action, effect: { type: "latency", ms } });
  const before = new Map(CALLS.map(({ action }) => [action, region.callsOf(action).length]));
  const provider = providerOf(region);
  const { clock } = region;

  const found = nodes.map(async ({ id }, index) => {
    await clock.sleep(index * APART_MS, never);
    const node = await provider.resolve({ by: "id", value: id }, never);
    return (await provider.findRegistrations(node, never)).registrations;
  });

  expect((await clock.run(Promise.all(found))).map((one) => one.length)).toEqual(Array(NODES).fill(1));
  for (const { action, enough } of CALLS)
    expect(region.callsOf(action).length - (before.get(action) ?? 0), action).toBeLessThanOrEqual(enough);
});
