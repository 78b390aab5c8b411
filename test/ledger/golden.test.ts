import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type DrainRecord, drainRecord } from "../../src/drain/drain-record.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { drainReport } from "../../src/drain/record-report.ts";
import { entryOf, lineOf } from "../../src/ledger/lines.ts";
import { ledgerStory } from "../support/ledger-story.ts";

const FOLDER = join(import.meta.dirname, "golden");

/** With `WRITE_GOLDEN` the file is written: only where the format of the ledger is to change. */
async function golden(name: string, now: string): Promise<string> {
  const path = join(FOLDER, name);
  if (process.env["WRITE_GOLDEN"] !== undefined) await writeFile(path, now);
  return readFile(path, "utf8");
}

test("what is written of a story is, byte for byte, what earlier versions have written", async () => {
  const lines = (await ledgerStory()).map(lineOf).join("");
  expect(lines).toBe(await golden("drains.jsonl", lines));
});

test("what earlier versions have written is read, every kind of entry", async () => {
  const lines = (await readFile(join(FOLDER, "drains.jsonl"), "utf8")).trimEnd().split("\n");
  const entries = lines.map((line) => entryOf(line));
  expect(entries.filter((entry) => entry === undefined)).toEqual([]);
  const read = entries.filter((entry): entry is LedgerEntry => entry !== undefined);
  expect(read.map((entry) => lineOf(entry).trimEnd())).toEqual(lines);
  expect([...new Set(read.map(({ type }) => type))].sort()).toEqual(Object.keys(KINDS).sort());
  const ids = [...new Set(read.map(({ drain }) => drain))];
  const records = ids.flatMap((id) => drainRecord(read.filter(({ drain }) => drain === id)) ?? []);
  const states = records.map((record) => `${JSON.stringify(stateOf(record))}\n`).join("");
  expect(states).toBe(await golden("records.jsonl", states));
});

/** What a drain is resumed, undone and reported by. */
function stateOf(record: DrainRecord) {
  const { last, isConsistent, registrations } = record;
  const known = registrations.map((one) => one && [isHeld(one.state), one.since, one.cameBack, one.isOurs, one.isBack]);
  return {
    last,
    isConsistent,
    known: known.map((one) => one?.map((value) => value || null)),
    ...drainReport(record, undefined),
  };
}

function isHeld(state: string): string {
  return state === "holding" || state === "released" ? state : "open";
}

/** Every kind of entry that there is. */
const KINDS: Readonly<Record<LedgerEntry["type"], true>> = {
  accepted: true,
  joined: true,
  found: true,
  planned: true,
  excluded: true,
  included: true,
  tainted: true,
  untainted: true,
  "exclude-failed": true,
  "include-failed": true,
  "taint-failed": true,
  "untaint-failed": true,
  evicting: true,
  evicted: true,
  "eviction-refused": true,
  "evict-failed": true,
  deregistered: true,
  "deregistering-again": true,
  "deregister-failed": true,
  "poll-failed": true,
  failed: true,
  released: true,
  guarded: true,
  cancelled: true,
  registered: true,
  "register-failed": true,
  undone: true,
  interrupted: true,
  resumed: true,
  gap: true,
  ended: true,
};
