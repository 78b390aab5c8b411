import type { LedgerEntry } from "../drain/ledger.ts";

/** Those who watch drains as their entries come. */
export class Followers {
  readonly #byDrain = new Map<string, Set<(entry: LedgerEntry) => void>>();

  /** See `Ledger.follow`. */
  follow(drain: string, heard: (entry: LedgerEntry) => void): () => void {
    const all = this.#byDrain.get(drain) ?? new Set();
    this.#byDrain.set(drain, all);
    // The same function may follow twice.
    const own = (entry: LedgerEntry) => heard(entry);
    all.add(own);
    return () => {
      all.delete(own);
      if (all.size === 0 && this.#byDrain.get(drain) === all) this.#byDrain.delete(drain);
    };
  }

  tell(entry: LedgerEntry): void {
    for (const heard of this.#byDrain.get(entry.drain) ?? []) {
      try {
        heard(entry);
      } catch {
        // Whoever watches can't be allowed to stop a drain.
      }
    }
  }
}
