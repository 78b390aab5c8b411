import { onAbort } from "../drain/abort.ts";

/** Waits until a condition is true. Every change that may make it true must be followed by `changed`. */
export class Condition {
  readonly #looks = new Set<() => void>();

  /** Resolves when `isSo` returns true. Rejects with the signal's reason. */
  until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (isSo()) return resolve();
      const look = () => {
        if (!isSo()) return;
        this.#looks.delete(look);
        forget();
        resolve();
      };
      const forget = onAbort(signal, () => {
        this.#looks.delete(look);
        reject(signal.reason);
      });
      this.#looks.add(look);
    });
  }

  changed(): void {
    for (const look of this.#looks) look();
  }
}
