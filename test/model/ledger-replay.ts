import assert from "node:assert/strict";
import { type DrainRecord, drainRecord } from "../../src/drain/drain-record.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import type { RegistrationResult, RunningDrain } from "../../src/drain/outcome.ts";
import { entryOf, lineOf } from "../../src/ledger/lines.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import type { ModelCase } from "./model-case.ts";

/** Everything that reached the ledger, drain by drain. */
export function byDrain(entries: readonly LedgerEntry[]): ReadonlyMap<string, readonly LedgerEntry[]> {
  const drains = new Map<string, LedgerEntry[]>();
  for (const entry of entries) drains.set(entry.drain, [...(drains.get(entry.drain) ?? []), entry]);
  return drains;
}

/** What the entries say of a drain that runs is how it stands. */
export function ledgerAgrees({ life, entries, clock }: ModelCase): void {
  for (const [drain, written] of byDrain(entries)) {
    const running = life.drainer.running(drain);
    const record = drainRecord(written);
    assert(record !== undefined, `${drain} has no beginning`);
    assert.equal(record.missing, 0, `entries of ${drain} are missing`);
    assert.equal(written.filter(({ type }) => type === "ended").length <= 1, true, `${drain} ends twice`);
    if (running !== undefined) sameState(record, running, clock.now());
  }
}

function sameState(record: DrainRecord, running: RunningDrain, now: number): void {
  assert.equal(record.end, undefined, `${record.id} runs, and the ledger has its end`);
  assert.equal(record.startedAt, running.startedAt);
  // One that has come back after it was released in an earlier process is there twice: the last one counts.
  const results = new Map(running.registrations.map((result) => [keyOf(result), result]));
  for (const [key, result] of results) {
    const known = record.registrations.find((one) => one !== undefined && keyOf(one) === key);
    assert(known !== undefined, `${key} is being drained, and the ledger has never heard of it`);
    // Registered again between two processes: the ledger hears of it once it is deregistered again.
    if (known.state === "released" && result.state === "registered") continue;
    const state = result.state === "registered" ? "open" : result.state;
    assert.equal(known.state, state, `${key} is ${state}, and in the ledger ${known.state}`);
    // What has come back after its release stands there twice, and the second one begins to count anew.
    const isTwice = running.registrations.filter((other) => keyOf(other) === key).length > 1;
    // The time that was one too many is told by the failure itself.
    if (result.state !== "failed" && !isTwice && !hasForgotten(record))
      assert.equal(known.cameBack, result.cameBack, `${key} came back`);
    // The times of entries are whole milliseconds, and a hold may begin between two of them.
    const heldMs = now - (known.since ?? 0);
    if (result.state === "holding")
      assert(
        Math.abs(heldMs - (result.heldMs ?? 0)) <= 1,
        `${key} is held ${result.heldMs} ms, and by the ledger ${heldMs}`,
      );
  }
}

/** What was about to be deregistered again when its process died begins to count anew, too. */
function hasForgotten({ entries }: DrainRecord): boolean {
  const again = entries.find(({ type }) => type === "deregistering-again");
  return again !== undefined && entries.some(({ type, n }) => type === "resumed" && n > again.n);
}

function keyOf({ registration }: Pick<RegistrationResult, "registration">): string {
  return `${registration.pool.id}|${registration.target}`;
}

/** Another ledger that is told the same, by way of the file's lines, says the same. */
export async function ledgerReplays({ entries, ledger }: ModelCase): Promise<void> {
  const replayed = new MemoryLedger({ endedMax: 1_000, weightMax: 1_000_000 });
  for (const entry of entries) {
    const read = entryOf(lineOf(entry));
    assert(read !== undefined, `the file would not read ${entry.type} again`);
    replayed.note(read);
  }
  assert.deepEqual(replayed.list(1_000), ledger.list(1_000));
  for (const [drain, written] of byDrain(entries)) {
    assert.deepEqual(await replayed.read(drain), written);
    assert.deepEqual(drainRecord((await replayed.read(drain)) ?? []), drainRecord((await ledger.read(drain)) ?? []));
  }
}

/** The end that was told is the end that is written down. */
export function endsAreWritten({ entries, events }: ModelCase): void {
  const drains = byDrain(entries);
  for (const { event } of events) {
    if (event.type !== "ended" || event.outcome.status === "abandoned") continue;
    const end = drainRecord(drains.get(event.drainId) ?? [])?.end;
    assert.equal(end?.outcome.status, event.outcome.status, `${event.drainId} has ended otherwise in the ledger`);
  }
}
