import { describe, expect, onTestFinished, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { keyOf } from "../../src/drain/cloud-provider.ts";
import type { Ledger, LedgerEntry } from "../../src/drain/ledger.ts";
import { StampedLedger } from "../../src/drain/stamped-ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { EntriesOf, registered, stateDir } from "../support/ledger-entries.ts";
import { LogStore, MemoryLog } from "../support/memory-log.ts";
import { never } from "../support/simulated-region.ts";

interface Bounds {
  readonly endedMax?: number;
}

const IMPLEMENTATIONS: Readonly<Record<string, (bounds?: Bounds) => Promise<Ledger>>> = {
  memory: async (bounds = {}) => new MemoryLedger(bounds),
  async file(bounds = {}) {
    const opened = await openLedger(await stateDir(), { clock: new SystemClock(), bounds });
    onTestFinished(() => opened.close());
    return opened.ledger;
  },
  async shared(bounds = {}) {
    const shared = { log: new MemoryLog(new LogStore()), over: never };
    const opened = await openLedger(await stateDir(), { clock: new SystemClock(), bounds, shared });
    onTestFinished(() => opened.close());
    return opened.ledger;
  },
  async stamped(bounds = {}) {
    const clock = new VirtualClock(0);
    const clocks = { boot: "b", bootedAt: () => 0, cloudAheadMs: () => undefined };
    return new StampedLedger(new MemoryLedger(bounds), { clock, clocks });
  },
};

describe.each(Object.entries(IMPLEMENTATIONS))("Ledger: %s", (_, make) => {
  test("gives a drain's entries back in the order in which they came, each once, whoever waited for them", async () => {
    const ledger = await make();
    const one = new EntriesOf("d-1");
    const other = new EntriesOf("d-2");
    const entries = one.whole();
    const [accepted = one.accepted(), ...steps] = entries;
    await ledger.append(accepted);
    await ledger.append(other.accepted());
    for (const entry of steps) {
      ledger.note(entry);
      ledger.note(other.found());
    }
    expect(await ledger.read("d-1", never)).toEqual(entries);
    await ledger.noted();
    expect(await ledger.read("d-1", never)).toEqual(entries);
  });

  test("knows nothing of a drain that it was never told of", async () => {
    const ledger = await make();
    expect(await ledger.read("d-1", never)).toBeUndefined();
    expect(ledger.list(10)).toEqual([]);
    expect(await ledger.unfinished(never)).toEqual([]);
  });

  test("lists the newest drains first and no more than are asked for: why they run, and how they ended", async () => {
    const ledger = await make();
    const first = new EntriesOf("d-1", 1_000);
    ledger.note(first.accepted("upgrade"));
    ledger.note(new EntriesOf("d-2", 2_000).accepted());
    ledger.note(first.next({ type: "joined", request: { askedAt: 1_500, reason: "spot" } }));
    ledger.note(first.next({ type: "joined", request: { askedAt: 1_600, reason: "spot" } }));
    ledger.note(first.ended());
    const node = { id: "i-0123456789abcdef0", name: "ip-10-0-0-1.internal", network: "vpc-1" };
    // Readers of `StampedLedger` do not get to see when the first entry was written.
    expect(ledger.list(10).map(({ first: _, ...summary }) => summary)).toEqual([
      { drain: "d-2", node, startedAt: 2_000, reasons: [] },
      { drain: "d-1", node, startedAt: 1_000, reasons: ["upgrade", "spot"], end: { at: 1_004, status: "drained" } },
    ]);
    expect(ledger.list(1).map(({ drain }) => drain)).toEqual(["d-2"]);
  });

  test("lists all drains of one node and of no other, the newest first", async () => {
    const ledger = await make();
    for (const [drain, node] of [
      ["d-1", "i-1"],
      ["d-2", "i-2"],
      ["d-3", "i-1"],
    ] as const)
      for (const entry of new EntriesOf(drain, 1_000, node).whole()) ledger.note(entry);
    expect(ledger.listOf("i-1").map(({ drain, end }) => [drain, end?.status])).toEqual([
      ["d-3", "drained"],
      ["d-1", "drained"],
    ]);
    expect(ledger.listOf("i-3")).toEqual([]);
  });

  test("remembers at once what a drain was still holding when it ended, until an undo has registered it again", async () => {
    const ledger = await make();
    const drain = new EntriesOf("d-1", 10_000_000);
    const result = { heldMs: 60, holdMs: 210_000, newTrafficStopped: false, cameBack: 1, deregistered: true };
    const steps = [
      drain.accepted(),
      drain.found("i-1:80", "i-1:81", "i-1:82"),
      drain.deregistered(0, 1, 2),
      drain.next({
        type: "ended",
        outcome: {
          status: "abandoned",
          registrations: [
            { ...result, of: 0, state: "holding" },
            { ...result, of: 1, state: "released" },
            { ...result, of: 2, state: "holding" },
          ],
        },
      }),
    ];
    for (const entry of steps) ledger.note(entry);
    const [memory] = ledger.remembered("i-0123456789abcdef0");
    const at = 10_000_004;
    const held = { heldSince: at - 60, holdMs: 210_000, cameBack: 1 };
    expect(memory).toMatchObject({ drain: "d-1", end: { at, status: "abandoned" }, hasSearched: false });
    expect(memory?.held).toEqual([
      { ...held, registration: registered("i-1:80") },
      { ...held, registration: registered("i-1:82") },
    ]);
    ledger.note(drain.next({ type: "registered", of: [2] }));
    expect(memory?.registeredAgain).toEqual([keyOf(registered("i-1:82"))]);
    expect(ledger.remembered("i-1")).toEqual([]);
    // Two hours later every hold is over.
    const later = new EntriesOf("d-2", at + 7_200_000);
    for (const entry of later.whole()) ledger.note(entry);
    expect(memory?.held).toEqual([]);
  });

  test("remembers whether a drain had asked every pool, and whose first try it was", async () => {
    const ledger = await make();
    const asked = (event: string, firstTriedAt?: number) => {
      const more = firstTriedAt === undefined ? {} : { firstTriedAt };
      return { type: "joined", request: { askedAt: 1, asker: { via: "spot-interruption", event }, ...more } } as const;
    };
    const drain = new EntriesOf("d-1");
    for (const entry of [drain.accepted(), drain.next(asked("e-1")), drain.next(asked("e-2", 5))]) ledger.note(entry);
    const [memory] = ledger.remembered("i-0123456789abcdef0");
    expect([memory?.hasSearched, memory?.firstTries]).toEqual([false, ["e-1"]]);
    const limit = { reason: "timeout", at: 1 } as const;
    ledger.note(drain.next({ type: "planned", longestHoldMs: 1, limit, warnings: [] }));
    expect(memory?.hasSearched).toBe(true);
  });

  test("hands out whole what has not ended, an interrupted drain too, the oldest first", async () => {
    const ledger = await make();
    const [left, interrupted] = [new EntriesOf("d-1"), new EntriesOf("d-3")];
    const ofLeft = [left.accepted(), left.found("i-1:80", "i-1:81"), left.deregistered(0)];
    const ofInterrupted = [interrupted.accepted(), interrupted.next({ type: "interrupted" })];
    for (const entry of [...ofLeft, ...new EntriesOf("d-2").whole(), ...ofInterrupted]) ledger.note(entry);
    expect(await ledger.unfinished(never)).toEqual([ofLeft, ofInterrupted]);
  });

  test("hands out what was cancelled until it is undone, before its end and after it, and keeps it as long", async () => {
    const ledger = await make({ endedMax: 1 });
    const early = new EntriesOf("d-1");
    const late = new EntriesOf("d-2");
    for (const entry of [early.accepted(), early.next({ type: "cancelled" }), early.ended()]) ledger.note(entry);
    for (const entry of [...late.whole(), late.next({ type: "cancelled" })]) ledger.note(entry);
    for (let number = 3; number <= 20; number++)
      for (const entry of new EntriesOf(`d-${number}`).whole()) ledger.note(entry);
    const unfinished = async () => (await ledger.unfinished(never)).map(([first]) => first?.drain);
    expect(await unfinished()).toEqual(["d-1", "d-2"]);
    expect(ledger.list(100).filter(({ undo }) => undo === "running")).toHaveLength(2);
    ledger.note(early.next({ type: "undone", registrations: [] }));
    expect(await unfinished()).toEqual(["d-2"]);
    ledger.note(late.next({ type: "undone", registrations: [{ of: 0, state: "registered" }] }));
    expect(await unfinished()).toEqual([]);
    ledger.note(late.next({ type: "cancelled" }));
    expect(await unfinished()).toEqual(["d-2"]);
  });

  test("tells those who follow a drain of each entry at once, until they leave, and of no other drain", async () => {
    const ledger = await make();
    const heard: LedgerEntry[] = [];
    const entries = new EntriesOf("d-1");
    const accepted = entries.accepted();
    const unfollow = ledger.follow("d-1", (entry) => heard.push(entry));
    ledger.note(accepted);
    ledger.note(new EntriesOf("d-2").accepted());
    expect(heard).toEqual([accepted]);
    unfollow();
    ledger.note(entries.ended());
    expect(heard).toEqual([accepted]);
  });

  test("is not disturbed by somebody who follows and fails", async () => {
    const ledger = await make();
    ledger.follow("d-1", () => {
      throw new Error("gone");
    });
    const heard: LedgerEntry[] = [];
    ledger.follow("d-1", (entry) => heard.push(entry));
    await ledger.append(new EntriesOf("d-1").accepted());
    expect(heard).toHaveLength(1);
    expect(await ledger.read("d-1", never)).toHaveLength(1);
  });

  test("forgets the oldest of those that have ended when they are too many, and never one that has not", async () => {
    const ledger = await make({ endedMax: 3 });
    ledger.note(new EntriesOf("d-0").accepted());
    for (let number = 1; number <= 20; number++)
      for (const entry of new EntriesOf(`d-${number}`).whole()) ledger.note(entry);
    await ledger.append(new EntriesOf("d-21").accepted());
    await ledger.noted();
    // A file is written anew beside those who write.
    await expect.poll(() => ledger.list(100).length).toBeLessThanOrEqual(7);
    const kept = ledger.list(100).map(({ drain }) => drain);
    expect(kept).toEqual(expect.arrayContaining(["d-0", "d-18", "d-19", "d-20", "d-21"]));
    const [{ node = { id: "" } } = {}] = ledger.list(1);
    expect(ledger.listOf(node.id).map(({ drain }) => drain)).toEqual(kept);
    expect(await ledger.read("d-1", never)).toBeUndefined();
    expect(await ledger.read("d-20", never)).toHaveLength(5);
    expect(await ledger.unfinished(never)).toHaveLength(2);
  });
});

test("memory has room for so many entries: then steps are left out, and never how drains begin and end, or what they found", async () => {
  const ledger = new MemoryLedger({ weightMax: 10 });
  const entries = new EntriesOf("d-1");
  ledger.note(entries.accepted());
  for (let step = 0; step < 20; step++) ledger.note(entries.deregistered(0));
  ledger.note(entries.found("i-1:80"));
  ledger.note(entries.ended());
  const kept = await ledger.read("d-1");
  expect(kept?.map(({ type }) => type)).toEqual(["accepted", ...Array(9).fill("deregistered"), "found", "ended"]);
  // The gap in the numbers says how many are missing.
  expect(kept?.at(-1)?.n).toBe(23);
  ledger.note(new EntriesOf("d-2").accepted());
  expect(ledger.list(10).map(({ drain }) => drain)).toEqual(["d-2"]);
});
