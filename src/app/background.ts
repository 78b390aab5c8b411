import { asDrainError } from "../drain/errors.ts";
import type { Log } from "../observe/log.ts";

/**
 * Work that runs beside the requests of the service. Each has a handler from the beginning, so that a failure is
 * logged, and ends neither the process nor the other work.
 */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (what: string, error: unknown) => void;

  constructor(onFailure: (what: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** `what`: a word or two that name the work in the log. */
  add(what: string, work: Promise<unknown>): void {
    const ended = work
      .then(
        () => {},
        (error: unknown) => this.#onFailure(what, error),
      )
      .finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Resolves when all work has ended, including work that was added meanwhile. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

/** Logs work that failed. The next start continues what a stop interrupts, as far as there is a ledger. */
export function failureLog(log: Log, abandon: AbortSignal): (what: string, error: unknown) => void {
  return (what, error) => {
    if (abandon.aborted) log("background work interrupted", { what });
    else log("background work failed", { what, error: asDrainError(error).message });
  };
}
