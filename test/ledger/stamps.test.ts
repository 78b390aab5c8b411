import { readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ClockStamp, elapsedBetween } from "../../src/drain/clock-stamp.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { type ClockDifference, StampedLedger } from "../../src/drain/stamped-ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { EntriesOf, stateDir } from "../support/ledger-entries.ts";
import { never } from "../support/simulated-region.ts";

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 0, 1);

/** A ledger that a process has written whose entries had no stamps, so long ago by the file and by its last entry. */
async function legacy({ writtenMs, entryMs }: { readonly writtenMs: number; readonly entryMs: number }) {
  const folder = await stateDir();
  const path = join(folder, "drains.jsonl");
  const of = new EntriesOf("d-1", NOW - entryMs);
  const entries = [of.accepted(), of.found(), of.deregistered()].map((entry) => ({ ...entry, at: NOW - entryMs }));
  await writeFile(path, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  await utimes(path, new Date(NOW), new Date(NOW - writtenMs));
  const clock = new VirtualClock(NOW);
  const { ledger, boot, lastWritten, close } = await openLedger(folder, { clock });
  onTestFinished(() => close());
  const differences: ClockDifference[] = [];
  const stamped = new StampedLedger(ledger, {
    ...{ clock, clocks: { boot, bootedAt: () => NOW - HOUR_MS, cloudAheadMs: () => undefined } },
    ...(lastWritten && { lastWritten }),
    onDifference: (difference) => differences.push(difference),
  });
  return { stamped, path, differences };
}

describe("entries without a stamp", () => {
  test.each([
    ["of a process whose clock was right", { writtenMs: 30_000, entryMs: 30_000 }, 30_000],
    ["of a service that was stopped for two hours", { writtenMs: 2 * HOUR_MS, entryMs: 2 * HOUR_MS }, 2 * HOUR_MS],
    ["by a clock that was an hour behind", { writtenMs: 30_000, entryMs: 30_000 + HOUR_MS }, 30_000],
    ["by a clock that was an hour ahead", { writtenMs: 30_000, entryMs: 30_000 - HOUR_MS }, 30_000],
    ["where the clock was set back since", { writtenMs: 30_000 - HOUR_MS, entryMs: 30_000 - HOUR_MS }, 0],
    ["restored from a backup of last week", { writtenMs: 1_000, entryMs: 168 * HOUR_MS }, 168 * HOUR_MS],
  ])("%s are as old as the file shows", async (_, ages, ageMs) => {
    const { stamped, differences } = await legacy(ages);
    const entries = (await stamped.read("d-1", never)) ?? [];
    expect(entries.map(({ at }) => NOW - at)).toEqual(entries.map(() => ageMs));
    const shiftMs = ages.entryMs - ageMs;
    expect(differences).toEqual(shiftMs === 0 ? [] : [{ shiftMs, basis: "file" }]);
  });
});

test("every entry that is written has a stamp, and no reader gets to see it", async () => {
  const { stamped, path } = await legacy({ writtenMs: 0, entryMs: 0 });
  const heard: LedgerEntry[] = [];
  stamped.follow("d-2", (entry) => heard.push(entry));
  const entry = { ...new EntriesOf("d-2").accepted(), at: NOW };
  await stamped.append(entry);
  expect(JSON.parse((await readFile(path, "utf8")).trimEnd().split("\n").at(-1) ?? "")).toEqual({
    ...entry,
    clock: { boot: expect.any(String), up: HOUR_MS },
  });
  expect([...heard, ...((await stamped.read("d-2", never)) ?? [])]).toEqual([entry, entry]);
});

test("a drain whose first entry was written long after its start, as under throttling, keeps its start for every process", async () => {
  const memory = new MemoryLedger();
  const differences: ClockDifference[] = [];
  /** A process of the same boot, whose clock is ahead. */
  const processAhead = (ms: number) =>
    new StampedLedger(memory, {
      clock: new VirtualClock(NOW + ms),
      clocks: { boot: "a", bootedAt: () => NOW + ms - HOUR_MS, cloudAheadMs: () => undefined },
      onDifference: (difference) => differences.push(difference),
    });
  const own = processAhead(0);
  const startedAt = NOW - 90_000;
  const accepted = { ...new EntriesOf("d-1", startedAt).accepted(), at: NOW };
  await own.append(accepted);
  const nodeId = accepted.type === "accepted" ? accepted.node.id : "";
  const starts = (ledger: StampedLedger) =>
    [...ledger.list(1), ...ledger.listOf(nodeId), ...ledger.remembered(nodeId)].map((each) => each.startedAt);
  expect(starts(own)).toEqual(Array(3).fill(startedAt));
  expect(differences).toEqual([]);
  expect(starts(processAhead(HOUR_MS))).toEqual(Array(3).fill(startedAt + HOUR_MS));
  expect(differences).toEqual([{ shiftMs: HOUR_MS, basis: "boot" }]);
});

test("while AWS's clock is not known, a list shows the times of another machine as they were written, and reports nothing", async () => {
  const memory = new MemoryLedger();
  const differences: ClockDifference[] = [];
  const of = new EntriesOf("d-1", NOW);
  for (const entry of [of.accepted(), of.ended()])
    await memory.append({ ...entry, at: NOW, clock: { boot: "other", up: 0, cloud: 0 } });
  const clock = new VirtualClock(NOW + HOUR_MS);
  const next = new StampedLedger(memory, {
    ...{ clock, clocks: { boot: "own", bootedAt: () => NOW, cloudAheadMs: () => undefined } },
    onDifference: (difference) => differences.push(difference),
  });
  expect(next.list(1)).toMatchObject([{ startedAt: NOW, end: { at: NOW } }]);
  expect(differences).toEqual([]);
});

describe("the time between two entries", () => {
  const later = { at: NOW + 10_000, clock: { boot: "a", up: 500_000, cloud: 0 } };
  test.each<[string, ClockStamp | undefined, ReturnType<typeof elapsedBetween>]>([
    ["is what the machine has counted", { boot: "a", up: 480_000, cloud: -HOUR_MS }, { ms: 20_000, basis: "boot" }],
    ["of two machines is what AWS's clock says", { boot: "b", up: 0, cloud: -5_000 }, { ms: 15_000, basis: "cloud" }],
    ["of two machines without AWS's clock is unknown", { boot: "b", up: 0 }, undefined],
    [
      "on a machine that was restored from a snapshot is what AWS's clock says",
      { boot: "a", up: 499_000, cloud: -48 * HOUR_MS },
      { ms: 48 * HOUR_MS + 10_000, basis: "cloud" },
    ],
    ["is their own without a stamp", undefined, { ms: 10_000, basis: "own" }],
    ["is their own with what is no stamp", { boot: 5, up: "x" } as never, { ms: 10_000, basis: "own" }],
    ["is their own with a stamp that is null", null as never, { ms: 10_000, basis: "own" }],
  ])("%s", (_, clock, elapsed) => {
    expect(elapsedBetween({ at: NOW, ...(clock !== undefined && { clock }) }, later)).toEqual(elapsed);
  });
});
