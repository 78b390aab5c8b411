import type { Clock } from "../drain/clock.ts";

/** Far more than people and programs ask for. */
const PER_PERIOD_MAX = 10;
const PERIOD_MS = 1_000;

/**
 * The same work, done at most ten times a second: who asks more often shares the last result, which is a second old at
 * most. Who asks while it is under way waits for that.
 */
export function paced<T>(clock: Clock, work: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  let isUnderWay = false;
  let period = { began: Number.NEGATIVE_INFINITY, count: 0 };
  return () => {
    const now = clock.now();
    // Also after a step back of the clock.
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

/** Answers with a body that never changes, which all answers share. */
export function constantJson(value: object): () => Response {
  const body = Buffer.from(JSON.stringify(value));
  return () => new Response(body, { headers: { "content-type": "application/json" } });
}
