import { type DrainSummary, type Ledger, type LedgerEntry, summaryWith } from "../drain/ledger.ts";
import { Followers } from "./followers.ts";

/** Bounds of what is kept. A drain that has not ended is kept while there is room for its entries. */
export interface MemoryBounds {
  /** Drains that have ended. */
  readonly endedMax: number;
  /** Entries and registrations of all drains: each takes some hundred bytes. */
  readonly weightMax: number;
}

const BOUNDS: MemoryBounds = { endedMax: 1_000, weightMax: 100_000 };

interface Kept {
  summary: DrainSummary;
  readonly entries: LedgerEntry[];
  weight: number;
}

/** Keeps drains as long as the process lives: where nothing outlives it, or no directory was given. */
export class MemoryLedger implements Ledger {
  readonly #bounds: MemoryBounds;
  /** In the order of their beginnings. */
  readonly #drains = new Map<string, Kept>();
  readonly #followers = new Followers();
  #weight = 0;

  constructor(bounds: Partial<MemoryBounds> = {}) {
    this.#bounds = { ...BOUNDS, ...bounds };
  }

  note(entry: LedgerEntry): void {
    this.#take(entry);
    this.#followers.tell(entry);
  }

  async noted(): Promise<void> {}

  async keep(entry: LedgerEntry): Promise<void> {
    this.note(entry);
  }

  list(max: number): readonly DrainSummary[] {
    return [...this.#drains.values()]
      .reverse()
      .slice(0, max)
      .map(({ summary }) => summary);
  }

  async read(drain: string): Promise<readonly LedgerEntry[] | undefined> {
    const kept = this.#drains.get(drain);
    return kept && [...kept.entries];
  }

  follow(drain: string, heard: (entry: LedgerEntry) => void): () => void {
    return this.#followers.follow(drain, heard);
  }

  async unfinished(): Promise<readonly (readonly LedgerEntry[])[]> {
    return [...this.#drains.values()]
      .filter(({ summary }) => summary.end === undefined)
      .map(({ entries }) => [...entries]);
  }

  #take(entry: LedgerEntry): void {
    const known = this.#drains.get(entry.drain);
    const summary = summaryWith(known?.summary, entry);
    if (summary === undefined) return;
    const kept = known ?? { summary, entries: [], weight: 0 };
    kept.summary = summary;
    this.#drains.set(entry.drain, kept);
    const weight = weightOf(entry);
    if (summary.end !== undefined || this.#weight + weight > this.#bounds.weightMax)
      this.#makeRoom(weight, entry.drain);
    // How drains begin and end is always kept: there are no more of them than callers.
    const isStep = entry.type !== "accepted" && entry.type !== "ended";
    if (isStep && this.#weight + weight > this.#bounds.weightMax) return;
    kept.entries.push(entry);
    kept.weight += weight;
    this.#weight += weight;
  }

  /** Forgets the oldest of those that have ended. */
  #makeRoom(weight: number, except: string): void {
    const ended = [...this.#drains].filter(([id, { summary }]) => summary.end !== undefined && id !== except);
    let tooMany = ended.length + 1 - this.#bounds.endedMax;
    for (const [id, kept] of ended) {
      if (tooMany <= 0 && this.#weight + weight <= this.#bounds.weightMax) return;
      this.#drains.delete(id);
      this.#weight -= kept.weight;
      tooMany -= 1;
    }
  }
}

function weightOf(entry: LedgerEntry): number {
  if (entry.type === "found") return 1 + entry.registrations.length + entry.elsewhere.length;
  if (entry.type === "ended") return 1 + entry.outcome.fates.length;
  return 1;
}
