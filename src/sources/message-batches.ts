import { newAbort, onAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, DrainError } from "../drain/errors.ts";

/** SQS takes no more at once. */
const ENTRIES_MAX = 10;
const CALLS_AT_ONCE_MAX = 4;
/** A call that has room for more entries waits this long for them. */
const GATHERS_MS = 100;
/** If AWS fails an entry, it is repeated on its own. */
const ALONE_ATTEMPTS_MAX = 4;
const ALONE_BACK_OFF_MS = 500;

/** AWS's answer about one entry of a batch. */
export interface EntryFailure {
  /** The index among the entries that were sent, from 0. */
  readonly index: number;
  readonly error: DrainError;
  /** Another attempt may succeed. */
  readonly isPassing: boolean;
}

interface Waiting<T> {
  readonly entry: T;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface MessageBatchesOptions<T> {
  readonly clock: Clock;
  /** One call to AWS. Returns the entries that have failed, or throws if all have. */
  readonly send: (entries: readonly T[], signal: AbortSignal) => Promise<readonly EntryFailure[]>;
}

/**
 * Sends the entries of many callers for one queue in few calls. A call takes what has gathered for a moment, or while
 * other calls were in progress.
 */
export class MessageBatches<T> {
  readonly #options: MessageBatchesOptions<T>;
  readonly #waiting: Waiting<T>[] = [];
  #underWay = 0;
  /** Aborts when enough entries wait for a call. Absent: none waits for others. */
  #gathering: AbortController | undefined;

  constructor(options: MessageBatchesOptions<T>) {
    this.#options = options;
  }

  /** Resolves when AWS has processed this entry. Throws `DrainError`, or `signal`'s reason. */
  add(entry: T, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const forget = onAbort(signal, () => reject(signal.reason));
      const done = (finish: () => void) => {
        forget();
        finish();
      };
      this.#waiting.push({
        entry,
        signal,
        resolve: () => done(resolve),
        reject: (error) => done(() => reject(error)),
      });
      this.#next();
    });
  }

  #next(isDue = false): void {
    while (this.#underWay < CALLS_AT_ONCE_MAX && this.#waiting.length > 0) {
      if (this.#waiting.length < ENTRIES_MAX && !isDue) {
        this.#gather();
        return;
      }
      this.#gathering?.abort(WOKEN);
      this.#gathering = undefined;
      const batch = this.#waiting.splice(0, ENTRIES_MAX).filter(({ signal }) => !signal.aborted);
      if (batch.length === 0) continue;
      this.#underWay += 1;
      void this.#together(batch).finally(() => {
        this.#underWay -= 1;
        this.#next();
      });
    }
  }

  #gather(): void {
    if (this.#gathering !== undefined) return;
    const gathering = newAbort();
    this.#gathering = gathering;
    this.#options.clock.sleep(GATHERS_MS, gathering.signal).then(
      () => {
        this.#gathering = undefined;
        this.#next(true);
      },
      () => {}, // They are enough for a call.
    );
  }

  async #together(batch: readonly Waiting<T>[]): Promise<void> {
    const failures = await this.#sent(batch);
    const again = batch.map(async (one, index) => {
      const failure = failures.find((each) => each.index === index);
      if (failure === undefined) one.resolve();
      else if (failure.isPassing) await this.#alone(one);
      else one.reject(failure.error);
    });
    await Promise.all(again);
  }

  async #alone(one: Waiting<T>): Promise<void> {
    for (let attempts = 1; ; attempts += 1) {
      try {
        await this.#options.clock.sleep(ALONE_BACK_OFF_MS * 2 ** (attempts - 1), one.signal);
      } catch (error) {
        return one.reject(error);
      }
      const [failure] = await this.#sent([one]);
      if (failure === undefined) return one.resolve();
      if (!failure.isPassing || attempts >= ALONE_ATTEMPTS_MAX) return one.reject(failure.error);
    }
  }

  /** Ends when no caller waits for the call any more. Never rejects: if all have failed, each has its failure. */
  async #sent(batch: readonly Waiting<T>[]): Promise<readonly EntryFailure[]> {
    const over = newAbort();
    // Several may wait with one signal.
    const signals = new Set(batch.map(({ signal }) => signal));
    let waiting = signals.size;
    const forget = [...signals].map((signal) =>
      onAbort(signal, () => {
        waiting -= 1;
        if (waiting === 0) over.abort(signal.reason);
      }),
    );
    try {
      return await this.#options.send(
        batch.map(({ entry }) => entry),
        over.signal,
      );
    } catch (error) {
      const failure = over.signal.aborted ? new DrainError("unreachable", "given up") : asDrainError(error);
      return batch.map((_, index) => ({ index, error: failure, isPassing: false }));
    } finally {
      for (const each of forget) each();
    }
  }
}
