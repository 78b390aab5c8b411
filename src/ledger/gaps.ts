import { drainRecord } from "../drain/drain-record.ts";
import { type EndOfDrain, isOver, type LedgerEntry } from "../drain/ledger.ts";
import { OUTCOMES } from "../drain/outcome.ts";
import type { LedgerIndex } from "./ledger-index.ts";
import type { Remains } from "./lines.ts";

/** What is missing in a file. */
export interface Gap {
  readonly drain?: string;
  readonly node?: string;
  /** The number of missing entries, according to their numbers. */
  readonly missing: number;
  /** The drain's beginning is missing, so that it can't be resumed. */
  readonly isHeadless: boolean;
  /** The loss can't shorten a hold, because the drain has ended and had held everything to its end. */
  readonly isHarmless: boolean;
  /** It is unknown which drains have missing entries. */
  readonly isUnknown?: true;
  /** The entry that records the gap. Absent: nothing depends on it. */
  readonly mark?: LedgerEntry;
}

/** Stands for drains about which nothing is known. */
const UNKNOWN = "unknown";

interface Seen {
  last: number;
  /** The number of entries after the last mark, and the number of that mark. */
  count: number;
  markedAt: number;
  isDamaged: boolean;
  hasBegun: boolean;
  hasOther: boolean;
  isWhole: boolean;
  readonly nodes: Set<string>;
}

/** Finds out what is missing, from the numbers of entries and from lines that can't be read. */
export class GapFinder {
  readonly #drains = new Map<string, Seen>();
  /** Lines that can't be read and do not name their drain, and bytes after the last line of the file. */
  #nameless = 0;
  #isTailNameless = false;
  /** The number of the last mark for such lines. */
  #lastNameless = 0;

  entry(entry: LedgerEntry): void {
    if (entry.drain === UNKNOWN) {
      this.#lastNameless = entry.n;
      return;
    }
    const seen = this.#seen(entry.drain);
    seen.last = Math.max(seen.last, entry.n);
    if (entry.type === "gap") {
      [seen.count, seen.markedAt, seen.isDamaged] = [0, Math.max(seen.markedAt, entry.n), false];
      if (entry.node !== undefined) seen.nodes.add(entry.node);
      return;
    }
    seen.count += 1;
    seen.hasOther = true;
    if (entry.type === "accepted") {
      seen.hasBegun = true;
      seen.nodes.add(entry.node.id);
    }
    if (entry.type === "ended") seen.isWhole = isHarmless(entry.outcome.status);
    if (entry.type === "found" && !seen.hasBegun)
      for (const { target } of entry.registrations) seen.nodes.add(/^i-[0-9a-f]+/.exec(target)?.[0] ?? "");
  }

  /** A line that can't be read. */
  damaged({ drain, n = 0, node }: Remains): void {
    if (drain === undefined) {
      this.#nameless += 1;
      return;
    }
    const seen = this.#seen(drain);
    seen.isDamaged = true;
    seen.hasOther = true;
    seen.last = Math.max(seen.last, n);
    if (node !== undefined) seen.nodes.add(node);
  }

  /** What follows the last whole line. It may have been many lines. */
  torn(remains: Remains): void {
    if (remains.drain === undefined) this.lost();
    else this.damaged(remains);
  }

  /** An unknown number of lines of unknown drains is missing. */
  lost(): void {
    this.#isTailNameless = true;
  }

  /** Called when everything was read. `index`: the drains that have a beginning. */
  gaps(index: LedgerIndex, now: number): readonly Gap[] {
    const at = Math.round(now);
    const gaps = [...this.#drains].flatMap(([drain, seen]) => gapOf(drain, seen, index, at) ?? []);
    const missing = gaps.reduce((sum, gap) => sum + gap.missing, 0);
    if (!this.#isTailNameless && this.#nameless <= missing) return gaps;
    const mark = { drain: UNKNOWN, n: this.#lastNameless + 1, at, type: "gap" } as const;
    return [...gaps, { missing: 0, isHeadless: false, isHarmless: false, isUnknown: true, mark }];
  }

  #seen(drain: string): Seen {
    const seen = this.#drains.get(drain) ?? {
      ...{ last: 0, count: 0, markedAt: 0, isDamaged: false, hasBegun: false, hasOther: false, isWhole: false },
      nodes: new Set<string>(),
    };
    this.#drains.set(drain, seen);
    return seen;
  }
}

function gapOf(drain: string, seen: Seen, index: LedgerIndex, at: number): Gap | undefined {
  const { last, count, markedAt, isDamaged, hasBegun, hasOther, isWhole, nodes } = seen;
  const [node] = nodes.size === 1 ? [...nodes].filter((id) => id !== "") : [];
  const missing = Math.max(0, last - markedAt - count);
  const about = { drain, ...(node === undefined ? {} : { node }) };
  if (!hasBegun) {
    if (!hasOther) return undefined;
    const mark = { ...about, n: last + 1, at, type: "gap" } as const;
    return { ...about, missing, isHeadless: true, isHarmless: isWhole, ...(isWhole ? {} : { mark }) };
  }
  // A contradiction that is due to something missing before a mark was found by an earlier start.
  if (missing === 0 && !isDamaged && (markedAt > 0 || isConsistent(drain, index))) return undefined;
  // The last entry may be lost without a trace. Its number stays free.
  const n = last + (missing === 0 ? 2 : 1);
  const isHarmless = index.get(drain) === undefined || isWhole;
  return { ...about, missing, isHeadless: false, isHarmless, mark: { drain, n, at, type: "gap" } };
}

/** Nothing that such a drain has held must still be held. */
function isHarmless(status: EndOfDrain["status"]): boolean {
  return OUTCOMES[status].isWhole || !OUTCOMES[status].mayTakeOut;
}

/** Whether the entries of a drain that is going to be resumed agree with each other. */
function isConsistent(drain: string, index: LedgerIndex): boolean {
  const { summary, entries } = index.get(drain) ?? {};
  if (summary === undefined || entries === undefined || isOver(summary)) return true;
  return drainRecord(entries)?.isConsistent !== false;
}
