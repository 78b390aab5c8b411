import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { Controller } from "../../src/simulator/controller.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

function scene(count: number, delaySeconds: number, targetType: "instance" | "ip" = "instance") {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: count }, () => region.node());
  // An ALB does not take an address again before its delay has passed.
  const type = targetType === "ip" ? "network" : "application";
  const group = region.group({ name: "web", type, nodes, delaySeconds, targetType });
  region.simulator.limit(AWS_QUOTAS);
  const engine = region.engine({ QUOTA_SHARE: "0.8" });
  const drainAll = () =>
    Promise.all(nodes.map(({ id }) => engine.drain({ node: { by: "id", value: id }, dryRun: false }, never)));
  const idOf = ({ id, privateIp }: Instance) => (targetType === "ip" ? privateIp : id);
  const registerAgain = () => {
    for (const node of nodes) region.world.registerTarget(group, { id: idOf(node) });
  };
  return { region, nodes, group, drainAll, registerAgain };
}

test.each([
  [1, "instance"],
  [100, "instance"],
  [100, "ip"],
] as const)(
  "%i nodes that somebody registers again (%s) are seen within a minute, deregistered at once, and reported",
  async (count, type) => {
    const { region, group, drainAll, registerAgain } = scene(count, 120, type);
    const drains = drainAll();
    await region.clock.advance(20_000);
    const again = region.clock.elapsedMs;
    registerAgain();
    const outcomes = await region.clock.run(drains);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: "drained", registrations: [{ cameBack: 1 }] });
    const later = region.calls.filter(({ action, at }) => action === "DeregisterTargets" && at >= again);
    // All of them by one call.
    expect(later).toHaveLength(1);
    expect((later[0]?.at ?? 0) - again).toBeLessThanOrEqual(61_000);
    // The hold began anew.
    expect(region.clock.elapsedMs).toBeGreaterThanOrEqual((later[0]?.at ?? 0) + 120_000);
    expect(group.listed(region.clock.now())).toEqual([]);
    // Whether the addresses are still theirs is one question for all.
    expect(region.callsOf("DescribeInstances").length).toBeLessThan(30);
  },
);

test("a controller that never stops fails the drains, after it was beaten five times, and says who registers", async () => {
  const { region, nodes, group, drainAll } = scene(10, 300);
  const stop = newAbort();
  const controller = new Controller(region.world, {
    intervalMs: 15_000,
    targetGroups: [{ group, targets: nodes.map(({ id }) => ({ id })) }],
  });
  const running = controller.run(stop.signal);
  const outcomes = await region.clock.run(drainAll());
  stop.abort();
  await running;
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      status: "failed",
      error: { code: "registered-again" },
      registrations: [{ cameBack: 6 }],
    });
  }
  expect(region.callsOf("DeregisterTargets").length).toBeLessThanOrEqual(6);
});
