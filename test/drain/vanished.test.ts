import { expect, test } from "vitest";
import type { Registration } from "../../src/drain/cloud-provider.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";

/** A node that a controller has taken from an NLB `secondsAgo`: reads list it no more. */
function scene(secondsAgo: number) {
  const made = new DrainScene({}, undefined, { ledger: new MemoryLedger() });
  const node = made.cloud.addNode("i-1", "10.0.0.1");
  const other = made.cloud.addNode("i-2", "10.0.0.2");
  const pool = made.cloud.addPool("nlb", "tcp", [other], { drainMs: 10_000 });
  const registration: Registration = {
    ...{ pool, target: `${node.id}:80`, state: "draining", detail: "not listed any more", isHealthy: false },
  };
  const vanish = (at: number) => {
    made.cloud.vanishedTargets = [{ registration, at }];
  };
  vanish(made.clock.now() - secondsAgo * 1_000);
  return { made, vanish };
}

test("is held from when it was first missing, and no call deregisters it", async () => {
  const { made } = scene(60);
  expect(await made.drain("i-1")).toMatchObject({
    status: "drained",
    registrations: [{ state: "released", registration: { target: "i-1:80" } }],
  });
  expect(made.elapsedSeconds).toBe(150);
  expect(made.secondsOf("deregister")).toEqual([]);
});

test("that vanished after an earlier drain had begun was held by that drain", async () => {
  const { made, vanish } = scene(60);
  await made.drain("i-1");
  const heldUntil = made.clock.now();
  vanish(heldUntil - 1_000);
  expect(await made.drain("i-1")).toMatchObject({ status: "nothing-registered" });
  expect(made.clock.now()).toBe(heldUntil);
});
