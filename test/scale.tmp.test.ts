import { expect, test } from "vitest";
import { never, SimulatedRegion } from "/work/wt/engine/test/support/simulated-region.ts";
import { AWS_QUOTAS } from "/work/wt/engine/src/simulator/quotas/quotas.ts";
test.each([[20, 50, false], [20, 50, true], [100, 450, false]])("scale %i x %i warm %s", async (n, g, warm) => {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: n }, () => region.node());
  for (let i = 0; i < g; i++) region.group({ name: `g${i}`, nodes: n === 20 ? (i < 10 ? nodes : []) : nodes, delaySeconds: 30 });
  region.simulator.limit(AWS_QUOTAS);
  const calls: Record<string, number> = {};
  const purposes: Record<string, number> = {};
  const engine = region.wholeEngine({ QUOTA_SHARE: "0.8" }, [], (c) => { purposes[`${c.purpose} ${c.action.split(":")[1]} ${c.throttled}`] = (purposes[`${c.purpose} ${c.action.split(":")[1]} ${c.throttled}`] ?? 0) + 1; });
  const stop = new AbortController();
  if (warm) { void engine.keepIndex(stop.signal); await region.clock.advance(600_000); }
  for (const k of Object.keys(purposes)) delete purposes[k];
  const t0 = region.clock.elapsedMs;
  const w = performance.now();
  const before = region.calls.length;
  const outs = await region.clock.run(Promise.all(nodes.map(({ id }) => engine.drainer.drain({ node: { by: "id", value: id }, dryRun: false }, never))));
  stop.abort();
  const dereg = region.calls.slice(before).filter((c) => c.action === "DeregisterTargets");
  console.log(n, g, warm, new Set(outs.map((o) => o.status)), "virtual", (region.clock.elapsedMs - t0) / 1000, "first", (dereg[0]!.at - t0) / 1000, "last", (dereg.at(-1)!.at - t0) / 1000, "dereg", dereg.length, "wall", Math.round(performance.now() - w), purposes);
}, 300000);
