import type { Delivery, EventSource } from "../drain/event-source.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import type { DrainRequest } from "../drain/request.ts";

/** Requests that may wait for their answers at once. Each costs a socket and a few kilobytes. */
const REQUESTS_MAX = 10_000;

/** No more requests are taken now. */
export class NotTaken extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotTaken";
  }
}

/** Drain requests that come by HTTP: each caller waits for its outcome. */
export class HttpSource implements EventSource {
  readonly #queue: Delivery[] = [];
  #wake: () => void = () => {};
  #underWay = 0;
  #stopped = false;

  /** The drain's outcome. Throws `NotTaken` when the service is stopping or has too many callers. */
  submit(request: DrainRequest): Promise<DrainOutcome> {
    if (this.#stopped) throw new NotTaken("the service is stopping");
    if (this.#underWay >= REQUESTS_MAX) throw new NotTaken(`${REQUESTS_MAX} requests are waiting already`);
    this.#underWay += 1;
    return new Promise((resolve) => {
      const settle = async (outcome: DrainOutcome) => {
        this.#underWay -= 1;
        resolve(outcome);
      };
      this.#queue.push({ request, accepted: () => {}, settle });
      this.#wake();
    });
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
