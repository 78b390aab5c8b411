import fc from "fast-check";
import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { verdictOf } from "../../src/drain/outcome.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { cutOff } from "../support/cut-off-ledger.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";
import { runOf } from "./seeds.ts";

const ALB_LAG_MS = 30_000;
const NLB_LAG_MS = 210_000;

/** One delivery of the message: to which replica, how long that lives then, and how it ends. */
const delivery = fc.record({
  replica: fc.constantFrom(0, 1),
  livesMs: fc.integer({ min: 0, max: 260_000 }),
  end: fc.constantFrom("crash", "stop"),
  gapMs: fc.integer({ min: 0, max: 90_000 }),
});

/** Two replicas, each with a ledger of its own, on one cloud. */
class Replicas {
  readonly clock = new VirtualClock();
  readonly cloud = new FakeCloud(this.clock);
  readonly #ledgers = [new MemoryLedger(), new MemoryLedger()] as const;

  /** A process that resumes what its ledger has. */
  async start(replica: number) {
    const [dead, stopped] = [newAbort(), newAbort()];
    const own = this.#ledgers[replica] ?? this.#ledgers[0];
    const ledger = cutOff(own, dead.signal);
    const drainer = new Drainer({ ...this, ledger, times: { deadlineMarginMs: 10_000 } });
    for (const entries of await own.unfinished()) {
      const record = drainRecord(entries);
      if (record !== undefined) drainer.resume(record, stopped.signal).catch(() => {}); // It is stopped.
    }
    const ends = (how: "crash" | "stop") => {
      if (how === "crash") dead.abort();
      stopped.abort();
    };
    return { drainer, ends, signal: stopped.signal };
  }
}

test("two replicas with ledgers of their own cut no hold, whichever gets the message and however they end", async () => {
  let held = 0;
  const property = fc.asyncProperty(
    fc.array(delivery, { minLength: 1, maxLength: 5 }),
    fc.constantFrom(30_000, 300_000),
    async (deliveries, drainMs) => {
      const replicas = new Replicas();
      const { clock, cloud } = replicas;
      const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
      const pools = [
        { pool: cloud.addPool("alb", "web", nodes, { drainMs }), holdMs: Math.max(drainMs, ALB_LAG_MS) },
        { pool: cloud.addPool("nlb", "tcp", nodes, { drainMs }), holdMs: Math.max(drainMs, NLB_LAG_MS) },
      ];
      const asker = { via: "spot-interruption", event: "e-1" };
      const request = { node: { by: "id", value: "i-1" }, dryRun: false, asker } as const;
      let firstTriedAt: number | undefined;
      const ask = (by: Drainer, signal: AbortSignal) => {
        const asked = firstTriedAt === undefined ? request : { ...request, firstTriedAt };
        firstTriedAt ??= clock.now();
        return by.drain(asked, signal).then((outcome) => {
          if (verdictOf(outcome) !== "can-go") return false;
          for (const { pool, holdMs } of pools) {
            const [first] = cloud.callsOf("deregister", pool);
            expect(clock.now() - (first?.at ?? clock.now()), pool.name).toBeGreaterThanOrEqual(holdMs);
          }
          held += 1;
          return true;
        });
      };
      for (const { replica, livesMs, end, gapMs } of deliveries) {
        const { drainer, ends, signal } = await replicas.start(replica);
        const isDone = ask(drainer, signal);
        await clock.advance(livesMs);
        ends(end);
        // The message is deleted.
        if (await clock.run(isDone)) return;
        await clock.advance(gapMs);
      }
      const { drainer } = await replicas.start(0);
      expect(await clock.run(ask(drainer, never))).toBe(true);
    },
  );
  await fc.assert(property, runOf({ numRuns: 600, seed: 1 }));
  expect(held).toBeGreaterThan(50);
});
