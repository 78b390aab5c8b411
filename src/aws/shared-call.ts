import { newAbort } from "../drain/abort.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { mostUrgent, type Urgency } from "../drain/urgency.ts";

/** Makes the call. It asks `about` once, when the call is sent: whoever asks later waits for the next one. */
type Make<A, T> = (about: () => readonly A[], by: CallFor) => Promise<T>;

interface Open<A, T> {
  /** Who waits for the answer, and what each wants to know. */
  readonly asks: Map<CallFor, A>;
  readonly abandon: AbortController;
  answer: Promise<T>;
}

const NOBODY: Urgency = { purpose: "refresh", deadline: Number.POSITIVE_INFINITY };

/** One call to the cloud for all who ask before it is sent, as urgent as the most urgent of them. */
export class SharedCall<A, T> {
  readonly #make: Make<A, T>;
  /** Not sent yet. */
  #open: Open<A, T> | undefined;

  constructor(make: Make<A, T>) {
    this.#make = make;
  }

  /** The answer to a call that is sent after this one. Whoever's signal aborts leaves; the last one ends the call. */
  ask(about: A, by: CallFor): Promise<T> {
    const { signal } = by;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      this.#open ??= this.#begin(by, about);
      const { asks, abandon, answer } = this.#open;
      asks.set(by, about);
      const leave = () => {
        asks.delete(by);
        if (asks.size === 0) abandon.abort(signal.reason);
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }

  #begin(by: CallFor, about: A): Open<A, T> {
    const asks = new Map([[by, about]]);
    const abandon = newAbort();
    const urgency = () => (asks.size === 0 ? NOBODY : mostUrgent([...asks.keys()].map((ask) => ask.urgency())));
    const close = () => {
      if (this.#open === open) this.#open = undefined;
    };
    const send = () => {
      close();
      return [...asks.values()];
    };
    abandon.signal.addEventListener("abort", close, { once: true });
    const open: Open<A, T> = { asks, abandon, answer: this.#make(send, { urgency, signal: abandon.signal }) };
    // A call that fails before it is sent.
    open.answer.catch(() => {}).finally(close);
    return open;
  }
}
