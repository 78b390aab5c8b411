import { type DrainSummary, isOver, type LedgerEntry, type RememberedDrain, summaryWith } from "../drain/ledger.ts";
import { Memories } from "./memories.ts";

/** One drain, and where in the file its lines are, between those of others. */
export interface Indexed {
  readonly summary: DrainSummary;
  /** `from` is where its first line begins, `to` where its last one ends. Equal: nothing is written yet. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

export interface RetentionBounds {
  /** Drains that have ended, and the bytes of their lines: the newest are kept. */
  readonly endedMax: number;
  readonly endedBytesMax: number;
}

/** Which drains there are. Of an entry whose drain's beginning is unknown nothing is taken. */
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

  unfinished(): ReadonlySet<string> {
    return new Set([...this.#drains].filter(([, { summary }]) => !isOver(summary)).map(([drain]) => drain));
  }

  /** It is given, and not written yet. */
  given(entry: LedgerEntry): void {
    const known = this.#drains.get(entry.drain);
    const summary = summaryWith(known?.summary, entry);
    if (summary === undefined) return;
    this.#ended += Number(isOver(summary)) - Number(known !== undefined && isOver(known.summary));
    this.#drains.set(entry.drain, { ...(known ?? { from: 0, to: 0, bytes: 0 }), summary });
    this.#byNode.add(summary.node.id, entry.drain);
    this.#memories.take(entry);
  }

  written(drain: string, from: number, to: number): void {
    const known = this.#drains.get(drain);
    if (known === undefined) return;
    const bytes = known.bytes + to - from;
    this.#drains.set(drain, { ...known, from: known.bytes === 0 ? from : known.from, to, bytes });
  }

  /** All but those that have not ended, and the newest of the others. */
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

  /** The file was rewritten without these drains: `written` gives the places of the other lines. */
  rewritten(dropped: ReadonlySet<string>): void {
    for (const drain of dropped) {
      this.#memories.forget(drain);
      const summary = this.#drains.get(drain)?.summary;
      if (summary !== undefined) this.#byNode.forget(summary.node.id, drain);
    }
    const drains = [...this.#drains].filter(([drain]) => !dropped.has(drain));
    this.#drains = new Map(drains.map(([drain, { summary }]) => [drain, { summary, from: 0, to: 0, bytes: 0 }]));
    this.#ended = drains.filter(([, { summary }]) => isOver(summary)).length;
  }
}

/** Which drains each node has had, in the order of their beginnings, so that asking about one walks no others'. */
export class DrainsByNode {
  readonly #drains = new Map<string, Set<string>>();

  /** One that is known keeps its place. */
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

  /** The newest first. */
  of(node: string): readonly string[] {
    return [...(this.#drains.get(node) ?? [])].reverse();
  }
}

/** Those who watch drains as their entries come. */
export class Followers {
  readonly #byDrain = new Map<string, Set<(entry: LedgerEntry) => void>>();

  /** See `Ledger.follow`. */
  follow(drain: string, onEntry: (entry: LedgerEntry) => void): () => void {
    const all = this.#byDrain.get(drain) ?? new Set();
    this.#byDrain.set(drain, all);
    // The same function may follow twice.
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
        // An observer must not stop a drain.
      }
    }
  }
}
