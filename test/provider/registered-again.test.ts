import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

test("after a cancel the status is no older than what the process itself has registered again", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], delaySeconds: 300 });
  region.group({ name: "tcp", type: "network", nodes: [node] });
  region.classic({ name: "front", nodes: [node], drainingSeconds: 60 });
  const ledger = new MemoryLedger();
  const engine = region.wholeEngine({ INDEX_RATE: "1", UNDO: "true" }, [], () => {}, ledger);
  const stopping = newAbort();
  const index = engine.maintainIndex(stopping.signal);
  await region.clock.advance(10_500);
  // Nothing is read in the background from now on: what is known is what drain and cancel do and see.
  stopping.abort();
  await index;
  const { drainer } = engine;
  const drain = drainer.drain({ node: { by: "id", value: node.id }, dryRun: false }, never);
  await region.clock.advance(20_000);
  const placesOf = async () => {
    const { registrations } = await region.clock.run(drainer.status({ by: "id", value: node.id }, never));
    return registrations.filter(({ state }) => state !== "draining").map(({ pool }) => pool.name);
  };
  expect(await placesOf()).toEqual([]);
  const undone = await region.clock.run(drainer.cancel(ledger.list(1)[0]?.drain ?? "", undefined, never));
  await drain;
  expect(undone.registrations.map(({ state }) => state)).toEqual(["registered", "registered", "registered"]);
  expect([...(await placesOf())].sort()).toEqual(["front", "tcp", "web"]);
});
