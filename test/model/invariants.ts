import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { allSettled, settledByTheLimit } from "./deadlines.ts";
import { DEREGISTRATIONS } from "./deregistrations.ts";
import { GUARDS } from "./guards.ts";
import { HOLDS } from "./holds.ts";
import { byDrain, endsAreWritten, ledgerAgrees, ledgerReplays } from "./ledger-replay.ts";
import type { ModelCase, Watcher } from "./model-case.ts";
import { cancelsAnswered, everyUndoHasEnded, UNDOS } from "./undos.ts";

/** One pool is called so often in any minute at most, by each method, for each node that there is. */
const CALLS_PER_MINUTE_MAX = 40;
const MINUTE_MS = 60_000;

/** Checked at the very moment of an event or a call. */
export const WATCHERS: readonly Watcher[] = [HOLDS, DEREGISTRATIONS, GUARDS, UNDOS];

/** Checked after every command. */
export const ALWAYS: readonly ((model: ModelCase) => void)[] = [settledByTheLimit, ledgerAgrees, callsAreBounded];

/** Checked when all has ended. */
export const AT_THE_END: readonly ((model: ModelCase) => unknown)[] = [
  allSettled,
  nothingIsLeft,
  everyDrainHasEnded,
  cancelsAnswered,
  everyUndoHasEnded,
  endsAreWritten,
  ledgerReplays,
];

function callsAreBounded({ calls, clock, spec }: ModelCase): void {
  assert(!calls.isLoop, "calls follow each other without a wait");
  const counts = new Map<string, number>();
  const since = clock.now() - MINUTE_MS;
  for (let last = calls.all.length - 1; last >= 0; last--) {
    const { method, pool, at } = calls.all[last] ?? { method: "resolve", pool: undefined, at: 0 };
    if (at < since) break;
    const key = `${method} ${pool?.id ?? ""}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    assert(count <= CALLS_PER_MINUTE_MAX * spec.nodes, `${key} is called ${count} times in a minute`);
  }
}

function nothingIsLeft({ life }: ModelCase): void {
  assert.equal(life.sleeping, 0, "somebody waits for time");
  assert.deepEqual(getEventListeners(life.abandoned, "abort"), [], "somebody listens");
}

const ENDS: ReadonlySet<string> = new Set(["ended", "interrupted", "undone"]);

/** But for those that were interrupted and whose process has not ended since: a later process takes them up. */
function everyDrainHasEnded({ entries, life }: ModelCase): void {
  for (const [drain, written] of byDrain(entries)) {
    assert.equal(life.drainer.running(drain), undefined, `${drain} runs`);
    const { type } = written.at(-1) ?? { type: "accepted" };
    assert(ENDS.has(type), `${drain} has no end: its last entry is '${type}'`);
  }
}
