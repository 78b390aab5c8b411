import { describe, expect, test } from "vitest";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

interface Layout {
  /** Of 50 groups, those that all nodes are registered in. */
  readonly used: number;
  readonly classics: number;
}

const GROUPS = 50;
const LEAVING = 20;
const ZONES = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];

/** 20 nodes of 60 leave at once, known to nobody before. Returns when each node's last deregistration was sent, sorted. */
async function lastDeregistrations(minHealthy: string, layout: Layout, latencyMs: number) {
  const region = new SimulatedRegion();
  region.simulator.limit(AWS_QUOTAS);
  region.latencyMs = latencyMs;
  const nodes = Array.from({ length: 3 * LEAVING }, (_, number) => region.node({ zone: ZONES[number % 3] }));
  for (let number = 0; number < GROUPS; number++) {
    const type = number % 2 === 0 ? "application" : "network";
    region.group({ name: `g${number}`, type, delaySeconds: 30, nodes: number < layout.used ? nodes : [] });
  }
  for (let number = 0; number < 5; number++)
    region.classic({ name: `c${number}`, nodes: number < layout.classics ? nodes : [], drainingSeconds: 30 });
  const engine = region.engine({ MIN_HEALTHY: minHealthy, QUOTA_SHARE: "0.8" });
  const deadline = region.clock.now() + 300_000;
  const drains = nodes
    .slice(0, LEAVING)
    .map(({ id }) => engine.drain({ node: { by: "id", value: id }, dryRun: false, deadline }, never));
  await region.clock.run(Promise.all(drains));
  return { region, times: nodes.slice(0, LEAVING).map((node) => lastOf(region, node)) };
}

function lastOf(region: SimulatedRegion, { id }: Instance): number {
  return Math.max(
    ...region.calls
      .filter(({ action, params }) => action.startsWith("Deregister") && [...params.values()].includes(id))
      .map(({ at }) => at),
  );
}

describe("twenty nodes that leave at once, known to nobody before", () => {
  test.each<[string, Layout, number]>([
    ["10 of 50 groups and 2 of 5 classic load balancers", { used: 10, classics: 2 }, 30],
    ["10 of 50 groups and 2 of 5 classic load balancers", { used: 10, classics: 2 }, 100],
    ["10 of 50 groups and 2 of 5 classic load balancers", { used: 10, classics: 2 }, 300],
    ["all 50 groups", { used: 50, classics: 0 }, 300],
  ])("in %2$s", async (_, layout, latencyMs) => {
    const guarded = await lastDeregistrations("1", layout, latencyMs);
    const unguarded = await lastDeregistrations("0", layout, latencyMs);
    const median = (times: readonly number[]) => [...times].sort((a, b) => a - b)[times.length / 2] ?? 0;
    const count = (region: SimulatedRegion) => {
      const by: Record<string, number> = {};
      for (const { action } of region.calls) by[action] = (by[action] ?? 0) + 1;
      return JSON.stringify(by);
    };
    console.log(
      layout,
      latencyMs,
      "guarded",
      median(guarded.times),
      Math.max(...guarded.times),
      "unguarded",
      median(unguarded.times),
      Math.max(...unguarded.times),
      count(guarded.region),
      count(unguarded.region),
    );
    expect(median(guarded.times)).toBeLessThanOrEqual(1.2 * median(unguarded.times));
  });
});
