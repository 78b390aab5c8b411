import { type DrainRecord, drainRecord } from "../drain/drain-record.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import { type StepReport, stepReport } from "../drain/record-report.ts";

/** The number of steps that are formatted in one turn of the event loop, which takes some milliseconds. */
const STEPS_PER_TURN = 200;
/** Characters of all texts that are kept for the next reader. */
const KEPT_CHARACTERS_MAX = 8 * 2 ** 20;

/** One step as readers get it. */
export interface StepText {
  readonly n: number;
  readonly type: LedgerEntry["type"];
  readonly json: string;
}

export interface DrainText {
  readonly record: DrainRecord;
  readonly steps: readonly StepText[];
}

interface Kept {
  /** The last entry, and the number of entries. */
  readonly state: string;
  readonly text: Promise<DrainText>;
  characters: number;
}

/**
 * The steps of drains as JSON. Formatting those of a long drain takes tens of milliseconds. So it is done in parts,
 * once for all readers of the same state, and step by step as the drain proceeds.
 */
export class DrainTexts {
  /** Least recently used first. */
  readonly #kept = new Map<string, Kept>();
  #characters = 0;

  /** Undefined: the entries do not name the drain. */
  async of(entries: readonly LedgerEntry[]): Promise<DrainText | undefined> {
    const last = entries.at(-1);
    if (last === undefined || !entries.some(({ type }) => type === "accepted")) return undefined;
    const state = `${entries.length} ${last.n} ${last.at}`;
    const known = this.#kept.get(last.drain);
    this.#forget(last.drain);
    const kept = known?.state === state ? known : { state, text: textOf(entries, known?.text), characters: 0 };
    this.#keep(last.drain, kept);
    const text = await kept.text;
    if (kept.characters === 0 && this.#kept.get(last.drain) === kept) {
      this.#forget(last.drain);
      kept.characters = text.steps.reduce((sum, { json }) => sum + json.length, 0);
      this.#keep(last.drain, kept);
    }
    return text;
  }

  #keep(drain: string, kept: Kept): void {
    this.#kept.set(drain, kept);
    this.#characters += kept.characters;
    for (const longestAgo of this.#kept.keys()) {
      if (this.#characters <= KEPT_CHARACTERS_MAX) return;
      this.#forget(longestAgo);
    }
  }

  #forget(drain: string): void {
    this.#characters -= this.#kept.get(drain)?.characters ?? 0;
    this.#kept.delete(drain);
  }
}

/** The end of these is known only with the whole record. */
const CHANGING: ReadonlySet<LedgerEntry["type"]> = new Set(["ended", "undone"]);

/** `earlier`: the text of the same drain when it had fewer steps. */
async function textOf(entries: readonly LedgerEntry[], earlier?: Promise<DrainText>): Promise<DrainText> {
  const record = drainRecord(entries) as DrainRecord;
  const known = new Map((await earlier)?.steps.map((step) => [step.n, step]));
  const steps: StepText[] = [];
  let made = 0;
  for (const entry of entries) {
    const { n, type } = entry;
    const before = CHANGING.has(type) ? undefined : known.get(n);
    steps.push(before ?? { n, type, json: JSON.stringify(stepReport(entry, record)) });
    if (before !== undefined) continue;
    made += 1;
    if (made % STEPS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { record, steps };
}

const NEEDED: ReadonlySet<LedgerEntry["type"]> = new Set(["accepted", "found", "ended", "cancelled", "undone"]);

/** The steps of a drain in the form of the API, one after the other. */
export class StepReports {
  /** The entries that are needed to understand the others. */
  readonly #needed: LedgerEntry[];
  #record: DrainRecord | undefined;

  /** `past`: the steps before the first one that is reported. */
  constructor(past: readonly LedgerEntry[] = []) {
    this.#needed = past.filter(({ type }) => NEEDED.has(type));
    this.#record = drainRecord(this.#needed);
  }

  report(entry: LedgerEntry): StepReport {
    if (NEEDED.has(entry.type)) {
      this.#needed.push(entry);
      this.#record = drainRecord(this.#needed);
    }
    return stepReport(entry, this.#record ?? { registrations: [] });
  }
}
