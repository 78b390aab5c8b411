import { newAbort, onAbort, whenAborted } from "../drain/abort.ts";

/** Node.js makes four calls to a file system at a time. With this limit, a drain's write always finds a free one. */
const READS_MAX = 2;

interface Shared {
  readonly result: Promise<unknown>;
  readonly stop: AbortController;
  callers: number;
}

/** Reads of the ledger for people and programs: a few at a time, and one for all callers of the same. */
export class Reads {
  readonly #shared = new Map<string, Shared>();
  /** In the order of arrival. */
  readonly #waiting = new Set<() => void>();
  #running = 0;

  /**
   * The result of `work`, which callers with the same key share. Rejects with the reason of `signal` as soon as it
   * aborts. The signal of `work` aborts when no caller waits for it any more.
   */
  async read<T>(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const shared = this.#shared.get(key) ?? this.#begin(key, work);
    shared.callers += 1;
    try {
      return (await Promise.race([shared.result, whenAborted(signal)])) as T;
    } finally {
      shared.callers -= 1;
      if (shared.callers === 0) {
        shared.stop.abort();
        if (this.#shared.get(key) === shared) this.#shared.delete(key);
      }
    }
  }

  #begin<T>(key: string, work: (signal: AbortSignal) => Promise<T>): Shared {
    const stop = newAbort();
    const result = this.#inTurn(work, stop.signal).finally(() => {
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
    });
    // Its callers may have left.
    result.catch(() => {});
    const shared: Shared = { result, stop, callers: 0 };
    this.#shared.set(key, shared);
    return shared;
  }

  async #inTurn<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#running >= READS_MAX) await this.#turn(signal);
    else this.#running += 1;
    try {
      signal.throwIfAborted();
      return await work(signal);
    } finally {
      // The next one gets its turn.
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = onAbort(signal, () => {
        this.#waiting.delete(come);
        reject(signal.reason);
      });
      const come = () => {
        this.#waiting.delete(come);
        forget();
        resolve();
      };
      this.#waiting.add(come);
    });
  }
}
