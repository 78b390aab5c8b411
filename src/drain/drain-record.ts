import type { Node, Registration } from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import type {
  EndOfDrain,
  LedgerEntry,
  RecordedError,
  RecordedOutcome,
  RecordedResult,
  RecordedUndone,
} from "./ledger.ts";
import { HOLD_MAX_MS } from "./memory.ts";
import type { RegistrationResult } from "./outcome.ts";
import type { AskedRequest, Asker } from "./request.ts";
import type { Undoable, UndoneResult } from "./undoable.ts";

/** One registration as the ledger has it. Moments are milliseconds since the epoch. */
export interface RecordedRegistration {
  readonly registration: Registration;
  readonly foundAt: number;
  /**
   * - `open`: found, and nothing is known of an acknowledged deregistration; or it failed, or is to be made again.
   * - `holding`: deregistered.
   * - `released`: the pool has stopped sending.
   */
  readonly state: "open" | "holding" | "released";
  /** When the last acknowledged deregistration was. Absent: there was none. */
  readonly since?: number;
  readonly releasedAt?: number;
  /** Deregistered by this drain, and not by another program before it. */
  readonly isOurs?: boolean;
  /** An undo has registered it again. */
  readonly isBack?: boolean;
  /** See `HoldProgress`. */
  readonly isEarlier?: boolean;
  /** Entries after the last known one about it are missing: it may have been deregistered again since, until then. */
  readonly unknownUntil?: number;
  /** How often another program registered it again. */
  readonly cameBack: number;
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
  /** How many entries could not be stored, or were lost since. */
  readonly missing: number;
  /** Nothing is missing, and no entry means a registration that no other has: every hold is known. */
  readonly isConsistent: boolean;
  /** Absent: it has not ended. */
  readonly end?: { readonly at: number; readonly outcome: EndOfDrain };
  /** Absent: it was not cancelled. Without registrations it runs, or was interrupted. */
  readonly undo?: RecordedUndo;
}

/** The last cancellation of the drain. */
interface RecordedUndo {
  readonly at: number;
  readonly asker?: Asker;
  readonly end?: { readonly at: number; readonly registrations: readonly UndoneResult[] };
}

/** What a drain's entries say of it. Undefined where its beginning is missing. */
export function drainRecord(given: readonly LedgerEntry[]): DrainRecord | undefined {
  // A file that was written anew may have them in another order.
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
    // Within a drain time does not go back: a moment before the last one is a wrong number.
    at = Math.max(at, entry.at);
    if (entry.n > number + 1) lose(registrations, at);
    isConsistent &&= entry.n <= number + 1 && isApplicable(registrations, entry);
    number = Math.max(number, entry.n);
    if (entry.type === "accepted" || entry.type === "joined") requests.push(entry.request);
    if (entry.type === "found") elsewhere.push(...entry.elsewhere);
    if (entry.type === "ended") ended = entry;
    apply(registrations, entry, { at, startedAt });
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

/** Whether it agrees with those before it. */
function isApplicable(registrations: readonly (RecordedRegistration | undefined)[], entry: LedgerEntry): boolean {
  if (entry.type === "found") return entry.first === registrations.length || entry.registrations.length === 0;
  return !("of" in entry) || entry.of.every((number) => registrations[number] !== undefined);
}

/** Entries are missing here, which were written until `at`. */
function lose(registrations: (RecordedRegistration | undefined)[], at: number): void {
  for (const [number, known] of registrations.entries())
    if (known !== undefined) registrations[number] = { ...known, unknownUntil: at };
}

interface When {
  /** When the entry was written, or later. */
  readonly at: number;
  readonly startedAt: number;
}

function apply(registrations: (RecordedRegistration | undefined)[], entry: LedgerEntry, when: When): void {
  if (entry.type === "found") {
    for (const [index, registration] of entry.registrations.entries()) {
      const number = entry.first + index;
      // A wrong number takes no other's place.
      const place = registrations[number] === undefined ? number : registrations.length;
      registrations[place] = { registration, foundAt: when.at, state: "open", cameBack: 0 };
    }
    return;
  }
  if (!("of" in entry)) return;
  for (const number of entry.of) {
    const known = registrations[number];
    if (known !== undefined) registrations[number] = after(known, entry, when);
  }
}

/** A drain may go on with what one before it has deregistered, and that within the longest hold. */
function heldSince({ since }: { readonly since?: number }, { at, startedAt }: When): number {
  return since === undefined || since > at || since < startedAt - HOLD_MAX_MS ? at : since;
}

function after(
  { unknownUntil, ...known }: RecordedRegistration,
  entry: Extract<LedgerEntry, { of: readonly number[] }>,
  when: When,
): RecordedRegistration {
  const uncertain = unknownUntil === undefined ? {} : { unknownUntil };
  switch (entry.type) {
    case "deregistered": {
      // Held already, and found draining a second time: it has come and gone unseen.
      const isAnew = known.state === "holding" && entry.foundDraining === true && entry.since === undefined;
      const cameBack = known.cameBack + (isAnew ? 1 : 0);
      const isOurs = known.isOurs === true || !entry.foundDraining || known.registration.state !== "draining";
      const isEarlier = entry.isEarlier === true;
      const since = Math.max(heldSince(entry, when), entry.since === undefined ? 0 : (unknownUntil ?? 0));
      return { ...known, state: "holding", since, cameBack, isOurs, isEarlier, isBack: false };
    }
    case "deregistering-again":
      return { ...known, state: "open", cameBack: known.cameBack + (entry.because === "back" ? 1 : 0) };
    case "released":
      return { ...known, state: "released", releasedAt: when.at };
    case "failed":
      return { ...known, state: "open" };
    case "registered":
      return { ...known, ...uncertain, isBack: true };
    case "deregister-failed":
    case "poll-failed":
    case "guarded":
    case "register-failed":
      return { ...known, ...uncertain };
    default:
      return entry satisfies never;
  }
}

/** What there is to undo of the drain. */
export function undoablesOfRecord({
  registrations,
  end,
}: Pick<DrainRecord, "registrations" | "end">): readonly Undoable[] {
  if (end?.outcome.status === "refused") {
    const found = registrations.filter((known) => known !== undefined);
    return found.map(({ registration }) => ({ registration, deregisteredBy: "none" }));
  }
  return registrations
    .filter((known) => known !== undefined)
    .map(({ registration, since, isOurs, isBack, cameBack }) => ({
      registration,
      deregisteredBy: isOurs ? "drain" : registration.state === "draining" && cameBack === 0 ? "others" : "perhaps",
      ...(isOurs && since !== undefined ? { since } : {}),
      ...(isBack ? { isDone: true as const } : {}),
    }));
}

function undoOf(entries: readonly LedgerEntry[], found: DrainRecord["registrations"]): RecordedUndo | undefined {
  const begun = entries.findLast((entry) => entry.type === "cancelled");
  if (begun === undefined) return undefined;
  const { at, asker, n } = begun;
  const undone = entries.find((entry) => entry.type === "undone" && entry.n > n);
  const end = undone?.type === "undone" && {
    at: undone.at,
    registrations: undone.registrations.flatMap((result) => resultOf(result, found)),
  };
  return { at, ...(asker && { asker }), ...(end && { end }) };
}

function resultOf(
  { of, error, ...result }: RecordedUndone,
  found: DrainRecord["registrations"],
): readonly UndoneResult[] {
  const registration = found[of]?.registration;
  return registration === undefined ? [] : [{ registration, ...result, ...(error && { error: thrown(error) }) }];
}

/** How it is written down. `numberOf`: below 0 if the ledger has no such registration. */
export function recordedOutcome(
  outcome: EndOfDrain,
  numberOf: (registration: Registration) => number,
): RecordedOutcome {
  const ended = "registrations" in outcome ? outcome.registrations : [];
  return {
    status: outcome.status,
    registrations: ended.map((result) => recordedResult(result, numberOf)).filter(({ of }) => of >= 0),
    ...("limit" in outcome ? { limit: outcome.limit, searched: outcome.searched } : {}),
    ...("message" in outcome ? { message: outcome.message } : {}),
    ...("refusal" in outcome ? { refusal: outcome.refusal } : {}),
    ...("eviction" in outcome && outcome.eviction !== undefined ? { eviction: outcome.eviction } : {}),
    ...("error" in outcome && outcome.error !== undefined ? { error: recordedError(outcome.error) } : {}),
  };
}

export function recordedError({ code, message }: DrainError): RecordedError {
  return { code, message };
}

function recordedResult(
  { registration, error, ...result }: RegistrationResult,
  numberOf: (registration: Registration) => number,
): RecordedResult {
  const heldMs = Math.round(result.heldMs);
  return { of: numberOf(registration), ...result, heldMs, ...(error && { error: recordedError(error) }) };
}

function outcomeOf(
  { status, registrations: recorded, limit, searched, message, error, refusal, eviction }: RecordedOutcome,
  { id, node, registrations: found, elsewhere }: Pick<DrainRecord, "id" | "node" | "registrations" | "elsewhere">,
): EndOfDrain {
  const about = { drainId: id, node, ...(eviction && { eviction }) };
  const registrations = recorded.flatMap(({ of, error: why, ...result }) => {
    const registration = found[of]?.registration;
    return registration === undefined ? [] : [{ registration, ...result, ...(why && { error: thrown(why) }) }];
  });
  switch (status) {
    case "drained":
    case "possibly-registered":
      return { ...about, status, registrations, elsewhere };
    case "nothing-registered":
      return { ...about, status, elsewhere };
    case "deadline-passed":
      return {
        ...about,
        status,
        limit: limit ?? { reason: "timeout", at: 0 },
        searched: searched ?? false,
        registrations,
      };
    case "instance-gone":
      return { status, message: message ?? "" };
    case "abandoned":
    case "cancelled":
      return { ...about, status, registrations };
    case "superseded":
      return { ...about, status, message: message ?? "", registrations };
    case "failed":
      return { ...about, status, error: thrown(error), registrations };
    case "refused":
      return { ...about, status, refusal: refusal ?? { reason: "too-few-healthy", message: "", pools: [] } };
    default:
      return status satisfies never;
  }
}

function thrown(error: RecordedError | undefined): DrainError {
  return new DrainError(error?.code ?? "internal", error?.message ?? "");
}
