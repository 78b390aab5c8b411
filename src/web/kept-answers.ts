import type { Clock } from "../drain/clock.ts";

/** Far more than people and programs request. */
const PER_PERIOD_MAX = 10;
const PERIOD_MS = 1_000;

/**
 * The same work, done at most ten times a second. Callers that ask more often share the last result, which is at most a
 * second old. Callers that ask while it runs wait for it.
 */
export function paced<T>(clock: Clock, work: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  let isUnderWay = false;
  let period = { began: Number.NEGATIVE_INFINITY, count: 0 };
  return () => {
    const now = clock.now();
    // This also holds after the clock was set back.
    if (now - period.began >= PERIOD_MS || now < period.began) period = { began: now, count: 0 };
    if (last !== undefined && (isUnderWay || period.count >= PER_PERIOD_MAX)) return last;
    period.count += 1;
    isUnderWay = true;
    last = work().finally(() => {
      isUnderWay = false;
    });
    return last;
  };
}

/** An answer with a constant body, which all answers share. */
export function constantJson(value: object): () => Response {
  const body = Buffer.from(JSON.stringify(value));
  return () => new Response(body, { headers: { "content-type": "application/json" } });
}
