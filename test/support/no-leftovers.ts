import { setImmediate, setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect } from "vitest";

/** Kinds of what keeps a process alive that no test may leave behind. */
const RESOURCES: ReadonlySet<string> = new Set([
  "FSEventWrap",
  "Immediate",
  "PipeWrap",
  "ProcessWrap",
  "StatWatcher",
  "TCPServerWrap",
  "TCPSocketWrap",
  "Timeout",
  "UDPWrap",
  "Worker",
]);
/** Sockets and servers take some turns of the event loop to be gone once they are closed. */
const TURNS_MAX = 1_000;
/** The test runner has timers of its own, which end by themselves. */
const TIMERS_END_WITHIN_MS = 5_000;
const TIMERS_EVERY_MS = 25;

let before: ReturnType<typeof state>;

// Runs in every file that shares its process with other files: none may change what the next one finds.
beforeAll(() => {
  before = state();
});

afterAll(async () => {
  for (let turn = 0; turn < TURNS_MAX && grown().length > 0; turn++) await setImmediate();
  for (let waited = 0; waited < TIMERS_END_WITHIN_MS && grown().length > 0; waited += TIMERS_EVERY_MS)
    await wait(TIMERS_EVERY_MS);
  expect(grown(), "what this file has left running").toEqual([]);
  expect(state().shared, "what the next file would find changed").toEqual(before.shared);
});

/** Of which resources there are more than before the file's first test. */
function grown(): readonly string[] {
  const { resources } = state();
  return [...resources].filter(([kind, count]) => count > (before.resources.get(kind) ?? 0)).map(([kind]) => kind);
}

function state() {
  const resources = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (RESOURCES.has(kind)) resources.set(kind, (resources.get(kind) ?? 0) + 1);
  const { fetch, setTimeout, Date: Clock } = globalThis;
  const listeners = Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
  return {
    resources,
    shared: { environment: { ...process.env }, folder: process.cwd(), fetch, setTimeout, now: Clock.now, listeners },
  };
}
