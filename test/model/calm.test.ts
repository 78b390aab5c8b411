import fc from "fast-check";
import { expect, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { never } from "../support/simulated-region.ts";
import { script, world } from "./arbitraries.ts";
import { byDrain } from "./ledger-replay.ts";
import { play } from "./play.ts";
import { runOf } from "./seeds.ts";

/** The longest hold of a world: a delay of ten minutes. Looks come up to a minute apart, and so do callers. */
const HELD_MAX_MS = 600_000 + 60_000;

test("where nothing is wrong and nobody is in a hurry, every drain ends drained, as soon as its holds are over", async () => {
  const calls = fc.record({ node: fc.nat({ max: 3 }), afterMs: fc.integer({ min: 1, max: 200_000 }) });
  const property = fc.asyncProperty(world, fc.array(calls, { minLength: 1, maxLength: 6 }), async (spec, asked) => {
    const commands = asked.flatMap(({ node, afterMs }) => [
      { type: "wait", ms: afterMs } as const,
      { type: "ask", node, by: "id" } as const,
    ]);
    const { deliveries, entries } = await play(spec, commands);
    for (const { settled, askedAt } of deliveries.all) {
      expect(settled).toMatchObject([{ outcome: { status: expect.stringMatching(/^(drained|nothing-registered)$/) } }]);
      expect((settled[0]?.at ?? 0) - askedAt).toBeLessThanOrEqual(HELD_MAX_MS + (spec.guard?.waitMs ?? 0));
    }
    expect(entries.filter(({ type }) => type === "deregistering-again" || type === "failed")).toEqual([]);
  });
  await fc.assert(property, runOf({ numRuns: 300, seed: 5 }));
});

test("where nothing is wrong, whoever cancels a drain gets back all that it has taken out", async () => {
  const asked = fc.record({ node: fc.nat({ max: 3 }), isVoluntary: fc.boolean() });
  const property = fc.asyncProperty(world, asked, fc.integer({ min: 1, max: 200_000 }), async (spec, ask, afterMs) => {
    const commands = [
      { type: "ask", by: "id", ...ask } as const,
      { type: "wait", ms: afterMs } as const,
      { type: "cancel", drain: 0 } as const,
    ];
    const { cancels, world: left, clock } = await play(spec, commands);
    const [cancel] = cancels.all;
    // Before its node is known nobody can name a drain.
    if (cancel?.drain === "unknown") return;
    expect(cancel?.answers).toMatchObject([{ outcome: {} }]);
    for (const { targets } of left.pools)
      for (const target of targets.values()) expect(left.isLive(target, clock.now())).toBe(true);
  });
  await fc.assert(property, runOf({ numRuns: 200, seed: 9 }));
});

test("a file has every drain of a case as the process had it, also for whoever opens it later", async () => {
  const property = fc.asyncProperty(world, script, async (spec, commands) => {
    const { entries, ledger } = await play(spec, commands);
    const folder = await stateDir();
    const written = await openLedger(folder, { clock: new SystemClock() });
    for (const entry of entries) written.ledger.note(entry);
    await written.close();
    const opened = await openLedger(folder, { clock: new SystemClock() });
    try {
      expect(opened.findings).toEqual([]);
      expect(opened.ledger.list(1_000)).toEqual(ledger.list(1_000));
      expect(await opened.ledger.unfinished(never)).toEqual(await ledger.unfinished());
      for (const [drain, given] of byDrain(entries)) expect(await opened.ledger.read(drain, never)).toEqual(given);
    } finally {
      await opened.close();
    }
  });
  await fc.assert(property, runOf({ numRuns: 60, seed: 6 }));
});
