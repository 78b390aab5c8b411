import type { Clock } from "../src/simulator/clock.ts";

const SEED = 1;

/**
 * Runs `work` with the process's timers, date and chance bound to `clock` and a seed: so nothing that a client draws
 * on, its SDK's retries included, differs from run to run or takes real time.
 */
export async function sealed<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout } = globalThis;
  const { now } = Date;
  const { random } = Math;
  const stops = new WeakMap<object, AbortController>();
  const start = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    const stop = new AbortController();
    const handle = { ref: () => handle, unref: () => handle };
    stops.set(handle, stop);
    // Node's timers count whole milliseconds, one at least: whoever waits for the rest of one relies on it.
    clock.sleep(Math.max(1, Math.trunc(ms)), stop.signal).then(
      () => run(...args),
      () => {}, // Cleared.
    );
    return handle;
  };
  globalThis.setTimeout = start as never;
  globalThis.clearTimeout = ((handle: object | undefined) => handle && stops.get(handle)?.abort()) as never;
  Date.now = () => clock.now();
  Math.random = seeded(SEED);
  try {
    return await work();
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
    Date.now = now;
    Math.random = random;
  }
}

/** A linear congruential generator: plain, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
