import { type DrainSummary, isOver, type LedgerEntry, type RememberedDrain, summaryWith } from "../drain/ledger.ts";
import { Memories } from "./memories.ts";

/** One drain, and the positions of its lines in the file, between those of other drains. */
export class Indexed {
  summary: DrainSummary;
  /**
   * All its entries, as long as something depends on them: the drain is not over, or what it held when it ended may
   * still get traffic. Absent: only the file has them.
   */
  entries: LedgerEntry[] | undefined;
  lines = 0;
  bytes = 0;
  /** The positions at which lines begin and end, alternating. Adjacent lines are one place. */
  #places: number[] = [];

  constructor(summary: DrainSummary, entries: LedgerEntry[] | undefined) {
    this.summary = summary;
    this.entries = entries;
  }

  /** Places with a small gap are joined, because reading the gap is cheaper than skipping it. */
  get places(): readonly Place[] {
    const places: { from: number; to: number }[] = [];
    for (let index = 0; index < this.#places.length; index += 2) {
      const [from = 0, to = 0] = this.#places.slice(index, index + 2);
      const last = places.at(-1);
      if (last !== undefined && from - last.to <= GAP_BYTES_MAX) last.to = to;
      else places.push({ from, to });
    }
    return places;
  }

  written(from: number, to: number): void {
    this.lines += 1;
    this.bytes += to - from;
    if (this.#places.at(-1) === from) this.#places[this.#places.length - 1] = to;
    else this.#places.push(from, to);
  }

  /** The file was replaced by another one. */
  moved(): void {
    this.#places = [];
    this.lines = 0;
    this.bytes = 0;
  }
}

/** A part of the file, in bytes from its beginning. */
export interface Place {
  readonly from: number;
  readonly to: number;
}

/** A disk reads this much at a time in any case. */
const GAP_BYTES_MAX = 4_096;

export interface RetentionBounds {
  /** The number of ended drains, and the bytes of their lines: the newest are kept. */
  readonly endedMax: number;
  readonly endedBytesMax: number;
}

/** The drains of the ledger. If a drain's beginning is unknown, only its gaps are recorded. */
export class LedgerIndex {
  /** In the order of their beginnings. */
  #drains = new Map<string, Indexed>();
  readonly #byNode = new DrainsByNode();
  readonly #memories = new Memories();
  #ended = 0;

  get ended(): number {
    return this.#ended;
  }

  get(drain: string): Indexed | undefined {
    return this.#drains.get(drain);
  }

  /** In the order of their beginnings. */
  all(): ReadonlyMap<string, Indexed> {
    return this.#drains;
  }

  newest(max: number): readonly DrainSummary[] {
    return [...this.#drains.values()]
      .slice(-max)
      .reverse()
      .map(({ summary }) => summary);
  }

  of(nodeId: string): readonly DrainSummary[] {
    return this.#byNode.of(nodeId).flatMap((drain) => this.#drains.get(drain)?.summary ?? []);
  }

  remembered(nodeId: string): readonly RememberedDrain[] {
    return this.#byNode.of(nodeId).flatMap((drain) => this.#memories.get(drain) ?? []);
  }

  unknownSince(nodeId: string): number | undefined {
    return this.#memories.unknownSince(nodeId);
  }

  /** Whether the lines of the drain must stay when the file is rewritten. */
  isRetained(drain: string): boolean {
    return this.#drains.has(drain) || this.#memories.isGap(drain);
  }

  unfinished(): ReadonlySet<string> {
    return new Set([...this.#drains].filter(([, { summary }]) => !isOver(summary)).map(([drain]) => drain));
  }

  /** The entry was given, and is not written yet. */
  given(entry: LedgerEntry): void {
    const known = this.#drains.get(entry.drain);
    const over = this.#memories.take(entry);
    for (const drain of over) this.#forgetEntries(drain);
    const summary = summaryWith(known?.summary, entry);
    if (summary === undefined) return;
    this.#ended += Number(isOver(summary)) - Number(known !== undefined && isOver(known.summary));
    if (known === undefined) this.#drains.set(entry.drain, new Indexed(summary, [entry]));
    else {
      known.summary = summary;
      known.entries?.push(entry);
    }
    this.#byNode.add(summary.node.id, entry.drain);
  }

  written(drain: string, from: number, to: number): void {
    const known = this.#drains.get(drain);
    if (known === undefined) return;
    known.written(from, to);
    // All of its entries are written.
    if (known.entries?.length === known.lines) this.#forgetEntries(drain);
  }

  /** The drains that may be dropped: all except those that have not ended and the newest of the others. */
  dropped({ endedMax, endedBytesMax }: RetentionBounds): ReadonlySet<string> {
    const dropped = new Set<string>();
    let ended = 0;
    let bytes = 0;
    for (const [drain, { summary, bytes: own }] of [...this.#drains].reverse()) {
      if (!isOver(summary)) continue;
      if (ended < endedMax && bytes + own <= endedBytesMax) {
        ended += 1;
        bytes += own;
      } else dropped.add(drain);
    }
    return dropped;
  }

  /** The file was rewritten without these drains. `written` has the places of the other lines. */
  rewritten(dropped: ReadonlySet<string>): void {
    for (const drain of dropped) {
      this.#memories.forget(drain);
      const known = this.#drains.get(drain);
      this.#drains.delete(drain);
      if (known === undefined) continue;
      this.#byNode.forget(known.summary.node.id, drain);
      if (isOver(known.summary)) this.#ended -= 1;
    }
    for (const known of this.#drains.values()) known.moved();
  }

  #forgetEntries(drain: string): void {
    const known = this.#drains.get(drain);
    if (known === undefined || !isOver(known.summary) || this.#memories.isHolding(drain)) return;
    if (known.entries?.length === known.lines) known.entries = undefined;
  }
}

/**
 * The drains of each node, in the order of their beginnings, so that a question about one node does not walk the drains
 * of others.
 */
export class DrainsByNode {
  readonly #drains = new Map<string, Set<string>>();

  /** A known drain keeps its position. */
  add(node: string, drain: string): void {
    const drains = this.#drains.get(node) ?? new Set();
    drains.add(drain);
    this.#drains.set(node, drains);
  }

  forget(node: string, drain: string): void {
    const drains = this.#drains.get(node);
    drains?.delete(drain);
    if (drains?.size === 0) this.#drains.delete(node);
  }

  /** Newest first. */
  of(node: string): readonly string[] {
    return [...(this.#drains.get(node) ?? [])].reverse();
  }
}

/** Observers of drains, who get their entries as they come. */
export class Followers {
  readonly #byDrain = new Map<string, Set<(entry: LedgerEntry) => void>>();

  /** See `Ledger.follow`. */
  follow(drain: string, onEntry: (entry: LedgerEntry) => void): () => void {
    const all = this.#byDrain.get(drain) ?? new Set();
    this.#byDrain.set(drain, all);
    // The same function may be passed twice.
    const own = (entry: LedgerEntry) => onEntry(entry);
    all.add(own);
    return () => {
      all.delete(own);
      if (all.size === 0 && this.#byDrain.get(drain) === all) this.#byDrain.delete(drain);
    };
  }

  notify(entry: LedgerEntry): void {
    for (const onEntry of this.#byDrain.get(entry.drain) ?? []) {
      try {
        onEntry(entry);
      } catch {
        // A failing observer must not stop a drain.
      }
    }
  }
}
