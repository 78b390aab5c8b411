import { asDrainError } from "../drain/errors.ts";
import type { Log } from "../observe/log.ts";

/**
 * Work that goes on beside the requests of the service. Each has a handler from its first moment: a failure is told, and
 * ends neither the process nor the other work.
 */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (what: string, error: unknown) => void;

  constructor(onFailure: (what: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** `what`: the work in a word or two, for the log. */
  add(what: string, work: Promise<unknown>): void {
    const ended = work
      .then(
        () => {},
        (error: unknown) => this.#onFailure(what, error),
      )
      .finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Resolves when all of it has ended, also what was added meanwhile. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

/** What is logged of work that failed. What a stop interrupts the next start goes on with, as far as there is a ledger. */
export function failureLog(log: Log, abandon: AbortSignal): (what: string, error: unknown) => void {
  return (what, error) => {
    if (abandon.aborted) log("background work interrupted", { what });
    else log("background work failed", { what, error: asDrainError(error).message });
  };
}
