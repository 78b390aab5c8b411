import { elapsedBetween, type Stamped } from "../drain/clock-stamp.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import { DrainMemory, HOLD_MAX_MS } from "../drain/memory.ts";

/** What a ledger remembers of its drains without reading them: see `Ledger.remembered`. */
export class Memories {
  readonly #memories = new Map<string, DrainMemory>();
  /** Those that were holding something when they ended, in the order of their ends. */
  #holding: DrainMemory[] = [];

  get(drain: string): DrainMemory | undefined {
    return this.#memories.get(drain);
  }

  /** Of an entry whose drain's beginning is unknown nothing is taken. */
  take(entry: LedgerEntry): void {
    const known = this.#memories.get(entry.drain);
    if (known !== undefined) known.take(entry);
    else if (entry.type === "accepted") this.#memories.set(entry.drain, new DrainMemory(entry));
    if (entry.type === "ended") this.#ended(known, entry);
  }

  forget(drain: string): void {
    this.#memories.delete(drain);
  }

  /** Where nothing tells how long ago a drain ended it is remembered. */
  #ended(memory: DrainMemory | undefined, now: Stamped): void {
    if (memory !== undefined && memory.held.length > 0) this.#holding.push(memory);
    const isOver = ({ end }: DrainMemory) => end !== undefined && (elapsedBetween(end, now)?.ms ?? 0) >= HOLD_MAX_MS;
    const next = this.#holding.findIndex((one) => !isOver(one));
    const over = this.#holding.splice(0, next < 0 ? this.#holding.length : next);
    for (const one of over) one.forgetHolds();
  }
}
