import { elapsedBetween, type Stamped } from "../drain/clock-stamp.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import { DrainMemory, HOLD_MAX_MS } from "../drain/memory.ts";

/** The entries of a drain whose beginning is unknown. */
interface LostDrain extends Stamped {
  /** Absent: it may belong to any node. */
  readonly node?: string;
}

/** What a ledger remembers of its drains without reading them: see `Ledger.remembered`. */
export class Memories {
  readonly #memories = new Map<string, DrainMemory>();
  /** By drain. */
  readonly #lost = new Map<string, LostDrain>();
  /** The drains that were holding something when they ended, in the order of their ends. */
  #holding: DrainMemory[] = [];

  get(drain: string): DrainMemory | undefined {
    return this.#memories.get(drain);
  }

  /**
   * If a drain's beginning is unknown, only its gaps are recorded. Returns the drains whose holds have ended since.
   */
  take(entry: LedgerEntry): readonly string[] {
    const known = this.#memories.get(entry.drain);
    if (known !== undefined) known.take(entry);
    else if (entry.type === "accepted") this.#memories.set(entry.drain, new DrainMemory(entry));
    else if (entry.type === "gap") this.#lost.set(entry.drain, entry);
    return entry.type === "ended" ? this.#ended(known, entry) : [];
  }

  isHolding(drain: string): boolean {
    return (this.#memories.get(drain)?.held.length ?? 0) > 0;
  }

  isGap(drain: string): boolean {
    return this.#lost.has(drain);
  }

  /** See `Ledger.unknownSince`. */
  unknownSince(nodeId: string): number | undefined {
    const lost = [...this.#lost.values()].filter(({ node = nodeId }) => node === nodeId).map(({ at }) => at);
    return lost.length === 0 ? undefined : Math.max(...lost);
  }

  forget(drain: string): void {
    this.#memories.delete(drain);
  }

  /** If it is unknown how long ago a drain ended, it is remembered. */
  #ended(memory: DrainMemory | undefined, now: Stamped): readonly string[] {
    if (memory !== undefined && memory.held.length > 0) this.#holding.push(memory);
    const hasPassed = (since: Stamped) => (elapsedBetween(since, now)?.ms ?? 0) >= HOLD_MAX_MS;
    const next = this.#holding.findIndex(({ end }) => end === undefined || !hasPassed(end));
    const over = this.#holding.splice(0, next < 0 ? this.#holding.length : next);
    for (const one of over) one.forgetHolds();
    for (const [drain, lost] of this.#lost) if (hasPassed(lost)) this.#lost.delete(drain);
    return over.map(({ drain }) => drain);
  }
}
