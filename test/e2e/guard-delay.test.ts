import { describe, expect, test } from "vitest";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { ALL_CASES } from "../support/cases.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

interface Layout {
  /** Of 50 groups, those that all nodes are registered in. */
  readonly groups: number;
  /** The same of 5 classic load balancers. */
  readonly classics: number;
}

const LEAVING = 20;
const ZONES = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];

/** 20 nodes of 60 leave at once, known to nobody before. */
async function drainTwenty(minHealthy: string, layout: Layout, latencyMs: number) {
  const region = new SimulatedRegion();
  region.simulator.limit(AWS_QUOTAS);
  region.latencyMs = latencyMs;
  const nodes = Array.from({ length: 3 * LEAVING }, (_, number) => region.node({ zone: ZONES[number % 3] }));
  for (let number = 0; number < 50; number++) {
    const type = number % 2 === 0 ? "application" : "network";
    region.group({ name: `g${number}`, type, delaySeconds: 30, nodes: number < layout.groups ? nodes : [] });
  }
  for (let number = 0; number < 5; number++)
    region.classic({ name: `c${number}`, nodes: number < layout.classics ? nodes : [], drainingSeconds: 30 });
  const engine = region.engine({ MIN_HEALTHY: minHealthy, QUOTA_SHARE: "0.8" });
  const deadline = region.clock.now() + 300_000;
  const leaving = nodes.slice(0, LEAVING);
  const drains = leaving.map(({ id: value }) =>
    engine.drain({ node: { by: "id", value }, dryRun: false, deadline }, never),
  );
  await region.clock.run(Promise.all(drains));
  return { region, lastDeregistrationMs: median(leaving.map((node) => lastOf(region, node))) };
}

function lastOf(region: SimulatedRegion, { id }: Instance): number {
  const own = region.calls.filter(
    ({ action, params }) => action.startsWith("Deregister") && [...params.values()].includes(id),
  );
  return Math.max(...own.map(({ at }) => at));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length / 2] ?? 0;
}

const LAYOUTS: readonly [layout: Layout, latencyMs: number][] = [
  [{ groups: 10, classics: 2 }, 30],
  [{ groups: 10, classics: 2 }, 300],
  [{ groups: 10, classics: 2 }, 100],
  [{ groups: 50, classics: 0 }, 300],
];

describe("of twenty nodes that leave at once, known to nobody before", () => {
  test.each(ALL_CASES ? LAYOUTS : LAYOUTS.slice(0, 2))(
    "in %j, AWS answering after %d ms, the last deregistration comes within 1.2 times of what it takes without a guard",
    async (layout, latencyMs) => {
      const guarded = await drainTwenty("1", layout, latencyMs);
      const unguarded = await drainTwenty("0", layout, latencyMs);
      expect(guarded.lastDeregistrationMs).toBeLessThanOrEqual(1.2 * unguarded.lastDeregistrationMs);
    },
  );

  test("a classic load balancer is asked for its health once before they leave", async () => {
    const { region } = await drainTwenty("1", { groups: 0, classics: 1 }, 100);
    const first = region.calls.findIndex(({ action }) => action === "DeregisterInstancesFromLoadBalancer");
    const before = region.calls.slice(0, first).filter(({ action }) => action === "DescribeInstanceHealth");
    expect(before).toHaveLength(1);
  });
});
