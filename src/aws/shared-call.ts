import { newAbort } from "../drain/abort.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import type { DrainError } from "../drain/errors.ts";
import { mostUrgent, type Urgency } from "../drain/urgency.ts";

/** Makes the call. It asks `about` once, when the call is sent: whoever asks later waits for the next one. */
type Make<A, T> = (about: () => readonly A[], by: CallFor) => Promise<T>;

/** Who waits for the answer, and what they want to know. */
interface Ask<A> {
  readonly about: A;
  readonly by: CallFor;
}

interface Open<A, T> {
  readonly asks: Set<Ask<A>>;
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
      const ask: Ask<A> = { about, by };
      this.#open ??= this.#begin(ask);
      const { asks, abandon, answer } = this.#open;
      asks.add(ask);
      const leave = () => {
        asks.delete(ask);
        if (asks.size === 0) abandon.abort(signal.reason);
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }

  #begin(first: Ask<A>): Open<A, T> {
    const asks = new Set([first]);
    const abandon = newAbort();
    const urgency = () => (asks.size === 0 ? NOBODY : mostUrgent([...asks].map(({ by }) => by.urgency())));
    const close = () => {
      if (this.#open === open) this.#open = undefined;
    };
    const send = () => {
      close();
      return [...asks].map(({ about }) => about);
    };
    abandon.signal.addEventListener("abort", close, { once: true });
    const repeats = (error: DrainError) => {
      for (const { by } of asks) by.repeats?.(error);
    };
    const answer = this.#make(send, { urgency, signal: abandon.signal, repeats });
    const open: Open<A, T> = { asks, abandon, answer };
    // A call that fails before it is sent.
    open.answer.catch(() => {}).finally(close);
    return open;
  }
}
