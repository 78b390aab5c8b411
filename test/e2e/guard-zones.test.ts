import { expect, test } from "vitest";
import { tally } from "../simulator/data-plane/clients.ts";
import { CarriedInside } from "../support/machine-inside.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** Enough that some come to each target. */
const CLIENTS = 90;
/** When the last machine of an NLB has learnt of a deregistration. */
const LAST_LEARNS_MS = 180_000;

/**
 * An NLB with a node in each of these zones, of which the first one is drained. `count`: how many new clients each node
 * answers, and how many connections are `broken`.
 */
async function draining(letters: readonly string[], options: { minHealthy: string; crossZone: boolean }) {
  const region = new SimulatedRegion();
  const nodes = letters.map((letter) => region.node({ zone: `eu-west-1${letter}` }));
  const group = region.group({ name: "tcp", type: "network", nodes, delaySeconds: 5 });
  group.attributes.set("load_balancing.cross_zone.enabled", String(options.crossZone));
  const { plane } = await CarriedInside.open(region.world);
  const count = () => tally(plane.url("tcp-lb"), CLIENTS);
  const engine = region.engine({ MIN_HEALTHY: options.minHealthy, MAX_VOLUNTARY: "100%" });
  const node = { by: "id", value: nodes[0]?.id ?? "" } as const;
  const drain = () => engine.drain({ node, dryRun: false, isVoluntary: true }, never);
  return { region, nodes, count, drain };
}

test("without cross-zone load balancing, an NLB loses the clients of a zone whose only healthy target is drained", async () => {
  const { region, nodes, count, drain } = await draining(["a", "b", "c"], { minHealthy: "0", crossZone: false });
  expect(Object.keys(await count()).sort()).toEqual(nodes.map(({ id }) => id));
  const drained = drain();
  await region.clock.advance(LAST_LEARNS_MS + 1_000);
  const others = nodes.slice(1).map(({ id }) => id);
  expect(Object.keys(await count()).sort()).toEqual(["broken", ...others]);
  // Their names are resolved again.
  await region.clock.advance(60_000);
  expect(Object.keys(await count()).sort()).toEqual(others);
  expect(await region.clock.run(drained)).toMatchObject({ status: "drained" });
});

test("the guard refuses that drain, and nothing is lost", async () => {
  const { region, nodes, count, drain } = await draining(["a", "b", "c"], { minHealthy: "1", crossZone: false });
  expect(await region.clock.run(drain())).toMatchObject({
    status: "refused",
    refusal: { pools: [{ zone: "eu-west-1a", wouldStay: 0 }] },
  });
  await region.clock.advance(LAST_LEARNS_MS);
  expect(Object.keys(await count()).sort()).toEqual(nodes.map(({ id }) => id));
});

test.each([
  ["another healthy target remains in the zone", ["a", "a", "b"], false],
  ["cross-zone load balancing is on", ["a", "b", "c"], true],
])("the guard lets the drain begin where %s, and nothing is lost", async (_, letters, crossZone) => {
  const { region, nodes, count, drain } = await draining(letters, { minHealthy: "1", crossZone });
  expect(await region.clock.run(drain())).toMatchObject({ status: "drained" });
  expect(Object.keys(await count()).sort()).toEqual(nodes.slice(1).map(({ id }) => id));
});
