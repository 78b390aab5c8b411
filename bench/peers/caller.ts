import type { ApiAnswer } from "../../src/simulator/api/answer.ts";
import type { Scene } from "../client.ts";
import { isThrottled, type Purpose } from "../purpose.ts";
import { type Query, queryBody } from "../query.ts";

/** As AWS's SDK for Go did by default: three more attempts, each after twice as long. */
const RETRIES_MAX = 3;
const FIRST_RETRY_MS = 500;

/** AWS went on throttling. */
class GaveUp extends Error {}

/** AWS answered with another error. */
class Refused extends Error {}

/** Calls AWS as a program without a limiter does: at once, and again when it was throttled. */
export async function call(query: Query, purpose: Purpose, { wire, clock, signal }: Scene): Promise<ApiAnswer> {
  const body = queryBody(query);
  for (let retry = 0; ; retry++) {
    const answer = await wire.call(body, signal, purpose);
    if (answer.status === 200) return answer;
    if (!isThrottled(answer)) throw new Refused(answer.body);
    if (retry === RETRIES_MAX) throw new GaveUp(query.action);
    await clock.sleep(FIRST_RETRY_MS * 2 ** retry, signal);
  }
}

/** Runs the drain of one node to its end, whatever that is, and reports it. */
export async function report(id: string, { departures, tally, clock, signal }: Scene, drain: () => Promise<void>) {
  try {
    await drain();
    departures.drained(id, clock.now());
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof GaveUp) tally.gaveUp();
    else if (!(error instanceof Refused)) throw error;
    departures.failed(error instanceof GaveUp ? "throttled" : "refused");
  }
}
