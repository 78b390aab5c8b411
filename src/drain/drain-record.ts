import type { Node, Registration } from "./cloud-provider.ts";
import { outcomeOf, undoneOf } from "./codec.ts";
import type { EndOfDrain, LedgerEntry } from "./ledger.ts";
import { HOLD_MAX_MS } from "./memory.ts";
import type { UndoneResult } from "./outcome.ts";
import { apply, OPEN, type RegistrationState } from "./registration-state.ts";
import type { AskedRequest, Asker } from "./request.ts";

/** One registration as the ledger has it. Times are milliseconds since the epoch. */
export interface RecordedRegistration extends RegistrationState {
  readonly registration: Registration;
  readonly foundAt: number;
  /** Entries about it after the last known one are missing, so that it may have been deregistered again until then. */
  readonly unknownUntil?: number;
}

/** What the ledger knows of one drain. */
export interface DrainRecord {
  readonly id: string;
  readonly node: Node;
  readonly startedAt: number;
  readonly requests: readonly AskedRequest[];
  /** By number. Undefined: its entry is missing. */
  readonly registrations: readonly (RecordedRegistration | undefined)[];
  readonly elsewhere: readonly Registration[];
  readonly entries: readonly LedgerEntry[];
  /** The number of the last entry. */
  readonly last: number;
  /** The number of entries that could not be stored, or were lost since. */
  readonly missing: number;
  /** Nothing is missing, and every entry names known registrations, so that every hold is known. */
  readonly isConsistent: boolean;
  /** Absent: it has not ended. */
  readonly end?: { readonly at: number; readonly outcome: EndOfDrain };
  /** Absent: it was not cancelled. Without registrations, the undo runs or was interrupted. */
  readonly undo?: RecordedUndo;
}

/** The last cancellation of the drain. */
interface RecordedUndo {
  readonly at: number;
  readonly asker?: Asker;
  readonly end?: { readonly at: number; readonly registrations: readonly UndoneResult[] };
}

/** What a drain's entries say about it. Undefined if its beginning is missing. */
export function drainRecord(given: readonly LedgerEntry[]): DrainRecord | undefined {
  // In a file that was written anew they may be in another order.
  const entries = given.every(({ n }, index) => n >= (given[index - 1]?.n ?? 0))
    ? given
    : [...given].sort((one, other) => one.n - other.n);
  const accepted = entries.find((entry) => entry.type === "accepted");
  if (accepted === undefined) return undefined;
  const { drain: id, node, startedAt } = accepted;
  const requests: AskedRequest[] = [];
  const registrations: (RecordedRegistration | undefined)[] = [];
  const elsewhere: Registration[] = [];
  let ended: Extract<LedgerEntry, { type: "ended" }> | undefined;
  let [number, at, isConsistent] = [0, startedAt, true];
  for (const entry of entries) {
    // Time does not go back within a drain: a time before the last one is a wrong number.
    at = Math.max(at, entry.at);
    if (entry.n > number + 1) lose(registrations, at);
    isConsistent &&= entry.n <= number + 1 && isApplicable(registrations, entry);
    number = Math.max(number, entry.n);
    if (entry.type === "accepted" || entry.type === "joined") requests.push(entry.request);
    if (entry.type === "found") elsewhere.push(...entry.elsewhere);
    if (entry.type === "ended") ended = entry;
    take(registrations, entry, { at, startedAt });
  }
  const undo = undoOf(entries, registrations);
  const last = entries.reduce((most, { n }) => Math.max(most, n), 0);
  const missing = last - new Set(entries.map(({ n }) => n)).size;
  const record = {
    id,
    node,
    startedAt,
    requests,
    registrations,
    elsewhere,
    entries,
    last,
    missing,
    isConsistent,
    ...(undo && { undo }),
  };
  return ended === undefined
    ? record
    : { ...record, end: { at: ended.at, outcome: outcomeOf(ended.outcome, { id, node, registrations, elsewhere }) } };
}

/** Whether the entry agrees with those before it. */
function isApplicable(registrations: readonly (RecordedRegistration | undefined)[], entry: LedgerEntry): boolean {
  if (entry.type === "found") return entry.first === registrations.length || entry.registrations.length === 0;
  return !("of" in entry) || entry.of.every((number) => registrations[number] !== undefined);
}

/** Entries that were written until `at` are missing here. */
function lose(registrations: (RecordedRegistration | undefined)[], at: number): void {
  for (const [number, known] of registrations.entries())
    if (known !== undefined) registrations[number] = { ...known, unknownUntil: at };
}

interface When {
  /** When the entry was written, or later. */
  readonly at: number;
  readonly startedAt: number;
}

function take(registrations: (RecordedRegistration | undefined)[], entry: LedgerEntry, when: When): void {
  if (entry.type === "found") {
    for (const [index, registration] of entry.registrations.entries()) {
      const number = entry.first + index;
      // A wrong number does not replace another registration.
      const place = registrations[number] === undefined ? number : registrations.length;
      registrations[place] = { registration, foundAt: when.at, ...OPEN };
    }
    return;
  }
  if (entry.type === "resumed") {
    // The next process judges anew what the guard has kept: by now there may be a replacement.
    for (const [number, known] of registrations.entries())
      if (known?.state === "kept") registrations[number] = { ...known, state: "open" };
    return;
  }
  if (!("of" in entry)) return;
  for (const number of entry.of) {
    const known = registrations[number];
    if (known !== undefined) registrations[number] = after(known, entry, when);
  }
}

function after(
  { registration, foundAt, unknownUntil, ...known }: RecordedRegistration,
  entry: Extract<LedgerEntry, { of: readonly number[] }>,
  when: When,
): RecordedRegistration {
  const isFoundLive = registration.state !== "draining";
  const change =
    entry.type === "deregistered" && entry.since !== undefined
      ? { ...entry, since: Math.max(plausible(entry.since, when), unknownUntil ?? 0) }
      : entry;
  const isUncertain = unknownUntil !== undefined && !CERTAIN.has(entry.type);
  const state = apply(known, change, { at: when.at, isFoundLive });
  return { registration, foundAt, ...(isUncertain && { unknownUntil }), ...state };
}

/** After these entries the state of a registration is known again. */
const CERTAIN: ReadonlySet<LedgerEntry["type"]> = new Set([
  "deregistered",
  "deregistering-again",
  "released",
  "failed",
]);

/** A drain may continue what an earlier one has deregistered, within the longest hold. */
function plausible(since: number, { at, startedAt }: When): number {
  return since > at || since < startedAt - HOLD_MAX_MS ? at : since;
}

function undoOf(entries: readonly LedgerEntry[], found: DrainRecord["registrations"]): RecordedUndo | undefined {
  const begun = entries.findLast((entry) => entry.type === "cancelled");
  if (begun === undefined) return undefined;
  const { at, asker, n } = begun;
  const undone = entries.find((entry) => entry.type === "undone" && entry.n > n);
  const end = undone?.type === "undone" && {
    at: undone.at,
    registrations: undone.registrations.flatMap((result) => undoneOf(result, found)),
  };
  return { at, ...(asker && { asker }), ...(end && { end }) };
}
