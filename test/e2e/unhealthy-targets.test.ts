import { expect, test } from "vitest";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html */
const KEEPS_CONNECTIONS = {
  "target_health_state.unhealthy.connection_termination.enabled": "false",
  "target_health_state.unhealthy.draining_interval_seconds": "360000",
};

/** Two nodes behind an NLB; the first one is `unhealthy.draining`. */
async function unhealthyDraining() {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const group = region.group({ name: "tcp", type: "network", nodes: [node, other], delaySeconds: 300 });
  for (const [key, value] of Object.entries(KEEPS_CONNECTIONS)) group.attributes.set(key, value);
  region.world.setAnswering(node, false);
  await region.clock.advance(60_000);
  const stateOf = ({ id }: typeof node) => {
    const target = group.named({ id }, region.clock.now());
    return target && group.apiHealth(target, region.clock.now()).state;
  };
  expect(stateOf(node)).toBe("unhealthy.draining");
  const engine = region.engine({ MIN_HEALTHY: "1", MAX_VOLUNTARY: "100%" });
  const drain = ({ id: value }: typeof node) =>
    engine.drain({ node: { by: "id", value }, dryRun: false, isVoluntary: true }, never);
  return { region, node, other, stateOf, drain };
}

test("a node whose target is unhealthy.draining is deregistered, and held for the whole deregistration delay", async () => {
  const { region, node, stateOf, drain } = await unhealthyDraining();
  const begun = region.clock.elapsedMs;
  const drained = drain(node);
  await region.clock.advance(1_000);
  expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
  expect(stateOf(node)).toBe("draining");
  expect(await region.clock.run(drained)).toMatchObject({ status: "drained" });
  expect(region.clock.elapsedMs - begun).toBeGreaterThanOrEqual(300_000);
});

test("a target that is unhealthy.draining is no healthy one to the guard", async () => {
  const { region, other, drain } = await unhealthyDraining();
  expect(await region.clock.run(drain(other))).toMatchObject({
    status: "refused",
    refusal: { pools: [{ healthyNow: 1, wouldStay: 0 }] },
  });
});
