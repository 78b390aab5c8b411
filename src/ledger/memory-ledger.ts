import {
  type DrainSummary,
  isOver,
  type Ledger,
  type LedgerEntry,
  type RememberedDrain,
  summaryWith,
} from "../drain/ledger.ts";
import { DrainsByNode, Followers } from "./ledger-index.ts";
import { Memories } from "./memories.ts";

/** Bounds of the stored drains. A drain that has not ended is kept while there is room for its entries. */
export interface MemoryBounds {
  /** The number of ended drains. */
  readonly endedMax: number;
  /** Entries and registrations of all drains. Each takes some hundred bytes. */
  readonly weightMax: number;
}

const BOUNDS: MemoryBounds = { endedMax: 1_000, weightMax: 100_000 };

/** The beginnings and ends of drains, what they found, and how they are undone. */
const ALWAYS_RETAINED: ReadonlySet<LedgerEntry["type"]> = new Set([
  "accepted",
  "found",
  "ended",
  "cancelled",
  "undone",
]);

interface RetainedDrain {
  summary: DrainSummary;
  readonly entries: LedgerEntry[];
  weight: number;
}

/** Keeps drains as long as the process lives: for programs without a lasting ledger, and if no directory was given. */
export class MemoryLedger implements Ledger {
  readonly #bounds: MemoryBounds;
  /** In the order of their beginnings. */
  readonly #drains = new Map<string, RetainedDrain>();
  readonly #byNode = new DrainsByNode();
  readonly #memories = new Memories();
  /** In the order of their ends. */
  readonly #ended = new Set<string>();
  readonly #followers = new Followers();
  #weight = 0;

  constructor(bounds: Partial<MemoryBounds> = {}) {
    this.#bounds = { ...BOUNDS, ...bounds };
  }

  note(entry: LedgerEntry): void {
    this.#take(entry);
    this.#followers.notify(entry);
  }

  async noted(): Promise<void> {}

  async append(entry: LedgerEntry): Promise<void> {
    this.note(entry);
  }

  list(max: number): readonly DrainSummary[] {
    return [...this.#drains.values()]
      .reverse()
      .slice(0, max)
      .map(({ summary }) => summary);
  }

  listOf(nodeId: string): readonly DrainSummary[] {
    return this.#byNode.of(nodeId).flatMap((drain) => this.#drains.get(drain)?.summary ?? []);
  }

  remembered(nodeId: string): readonly RememberedDrain[] {
    return this.#byNode.of(nodeId).flatMap((drain) => this.#memories.get(drain) ?? []);
  }

  /** What ends with the process can't be damaged between two processes. */
  unknownSince(): undefined {}

  async read(drain: string): Promise<readonly LedgerEntry[] | undefined> {
    const drainEntries = this.#drains.get(drain);
    return drainEntries && [...drainEntries.entries];
  }

  follow(drain: string, onEntry: (entry: LedgerEntry) => void): () => void {
    return this.#followers.follow(drain, onEntry);
  }

  async unfinished(): Promise<readonly (readonly LedgerEntry[])[]> {
    return [...this.#drains.values()].filter(({ summary }) => !isOver(summary)).map(({ entries }) => [...entries]);
  }

  #take(entry: LedgerEntry): void {
    const known = this.#drains.get(entry.drain);
    const summary = summaryWith(known?.summary, entry);
    if (summary === undefined) return;
    const drainEntries = known ?? { summary, entries: [], weight: 0 };
    drainEntries.summary = summary;
    this.#drains.set(entry.drain, drainEntries);
    this.#byNode.add(summary.node.id, entry.drain);
    this.#memories.take(entry);
    const weight = weightOf(entry, drainEntries);
    this.#makeRoom(weight);
    const isStep = !ALWAYS_RETAINED.has(entry.type);
    if (isStep && this.#weight + weight > this.#bounds.weightMax) return;
    drainEntries.entries.push(entry);
    drainEntries.weight += weight;
    this.#weight += weight;
    if (isOver(summary)) this.#ended.add(entry.drain);
    else this.#ended.delete(entry.drain);
  }

  /** Forgets the drains that ended first. */
  #makeRoom(weight: number): void {
    const { endedMax, weightMax } = this.#bounds;
    for (const drain of this.#ended) {
      if (this.#ended.size <= endedMax && this.#weight + weight <= weightMax) return;
      const drainEntries = this.#drains.get(drain);
      this.#weight -= drainEntries?.weight ?? 0;
      if (drainEntries !== undefined) this.#byNode.forget(drainEntries.summary.node.id, drain);
      this.#drains.delete(drain);
      this.#memories.forget(drain);
      this.#ended.delete(drain);
    }
  }
}

function weightOf(entry: LedgerEntry, { entries }: RetainedDrain): number {
  if (entry.type === "undone") return 1 + entry.registrations.length;
  if (entry.type !== "ended") return 1;
  // The running drain has its registrations itself. From now on only the ledger keeps them.
  const found = entries.reduce((sum, one) => sum + (one.type === "found" ? one.registrations.length : 0), 0);
  return 1 + found + entry.outcome.registrations.length;
}
