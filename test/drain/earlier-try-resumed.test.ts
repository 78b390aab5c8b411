import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { type DrainRecord, drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

/** A target that an earlier try of another process has left draining for ten minutes. Returns the seconds until its drain ends. */
async function heldSeconds({ restarts }: { readonly restarts: boolean }): Promise<number> {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const web = cloud.addPool("alb", "web", [cloud.addNode("i-1")], { drainMs: 600_000 });
  const ledger = new MemoryLedger();
  const life = () => new Drainer({ cloud, clock, ledger, times: { deadlineMarginMs: 10_000 } });
  cloud.force(web, "draining");
  const stop = newAbort();
  const request = { node: { by: "id", value: "i-1" }, dryRun: false, firstTriedAt: clock.now() - 500_000 } as const;
  const begun = clock.now();
  let ended: Promise<unknown> = life().drain(request, stop.signal);
  await clock.advance(60_000);
  if (restarts) {
    stop.abort();
    await ended;
    ended = life().resume(drainRecord((await ledger.unfinished())[0] ?? []) as DrainRecord, never);
    await clock.advance(10_000);
  }
  // The cloud says that its delay is over.
  cloud.force(web, "absent");
  await clock.run(ended);
  return (clock.now() - begun) / 1_000;
}

test("what an earlier try had left draining ends with AWS's list also after a restart, and not with a delay that began anew", async () => {
  expect(await heldSeconds({ restarts: false })).toBeLessThan(130);
  expect(await heldSeconds({ restarts: true })).toBeLessThan(150);
});
