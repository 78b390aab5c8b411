import type { DrainError } from "../drain/errors.ts";
import type { AcceptedDrain, Delivery, EventSource } from "../drain/event-source.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import type { DrainRequest } from "../drain/request.ts";

/** Requests that may wait for their answers at once. Each costs a socket and a few kilobytes. */
const REQUESTS_MAX = 10_000;

/** No more requests are accepted now. */
export class NotAccepted extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotAccepted";
  }
}

/** The drain continues, but could not be recorded. A caller that does not wait can't rely on it. */
export class Unrecorded extends Error {
  readonly drain: AcceptedDrain;

  constructor(drain: AcceptedDrain, cause: DrainError) {
    super(cause.message, { cause });
    this.name = "Unrecorded";
    this.drain = drain;
  }
}

/** A submitted request. */
export interface Submitted {
  /**
   * Resolves when the drain that will answer is known and would survive the end of the process. Stays pending if there
   * is none. Rejects with `Unrecorded`.
   */
  readonly accepted: Promise<AcceptedDrain>;
  /** Resolves when no guard can refuse the drain any more. */
  readonly begun: Promise<void>;
  readonly outcome: Promise<DrainOutcome>;
}

/** Drain requests that come by HTTP. Each caller waits for the outcome, or for its drain to begin. */
export class HttpSource implements EventSource {
  readonly #queue: Delivery[] = [];
  #wake: () => void = () => {};
  #underWay = 0;
  #stopped = false;

  /** Throws `NotAccepted` if the service is stopping or has too many requests. */
  submit(request: DrainRequest): Submitted {
    if (this.#stopped) throw new NotAccepted("the service is stopping");
    if (this.#underWay >= REQUESTS_MAX)
      throw new NotAccepted(`${REQUESTS_MAX} requests are already waiting: try again later`);
    this.#underWay += 1;
    let accepted: Delivery["accepted"] = () => {};
    let unrecorded: Delivery["unrecorded"] = () => {};
    let settled: (outcome: DrainOutcome) => void = () => {};
    let began: (begun: Promise<void> | undefined) => void = () => {};
    const submitted = {
      begun: new Promise<void>((resolve) => {
        began = resolve;
      }),
      accepted: new Promise<AcceptedDrain>((resolve, reject) => {
        accepted = (drain, begun) => {
          resolve(drain);
          began(begun);
        };
        unrecorded = (drain, error) => reject(new Unrecorded(drain, error));
      }),
      outcome: new Promise<DrainOutcome>((resolve) => {
        settled = resolve;
      }),
    };
    // A caller that waits for the outcome does not need it.
    submitted.accepted.catch(() => {});
    const settle = async (outcome: DrainOutcome) => {
      this.#underWay -= 1;
      settled(outcome);
    };
    this.#queue.push({ request, accepted, unrecorded, settle });
    this.#wake();
    return submitted;
  }

  async *deliveries(stop: AbortSignal): AsyncGenerator<Delivery> {
    const onStop = () => {
      this.#stopped = true;
      this.#wake();
    };
    stop.addEventListener("abort", onStop, { once: true });
    if (stop.aborted) onStop();
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else if (this.#stopped) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
