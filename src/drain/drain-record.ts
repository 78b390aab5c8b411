import type { Node, Registration } from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import type {
  EndOfDrain,
  LedgerEntry,
  RecordedError,
  RecordedFate,
  RecordedOutcome,
  RecordedUndone,
} from "./ledger.ts";
import type { RegistrationFate } from "./outcome.ts";
import type { AskedRequest, Asker } from "./request.ts";
import type { Undoable, UndoneFate } from "./undoable.ts";

/** One registration as the ledger has it. Moments are milliseconds since the epoch. */
interface RecordedRegistration {
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
  /** How often another program registered it again. */
  readonly cameBack: number;
}

/** What the ledger knows of one drain. */
export interface DrainRecord {
  readonly id: string;
  readonly node: Node;
  readonly startedAt: number;
  readonly requests: readonly AskedRequest[];
  /** By number. Undefined: its entry is among the missing ones. */
  readonly registrations: readonly (RecordedRegistration | undefined)[];
  readonly elsewhere: readonly Registration[];
  readonly entries: readonly LedgerEntry[];
  /** The number of the last entry. */
  readonly last: number;
  /** How many entries could not be stored. */
  readonly missing: number;
  /** Absent: it has not ended. */
  readonly end?: { readonly at: number; readonly outcome: EndOfDrain };
  /** Absent: it was not cancelled. Without fates it runs, or was interrupted. */
  readonly undo?: RecordedUndo;
}

/** The last cancellation of the drain. */
interface RecordedUndo {
  readonly at: number;
  readonly asker?: Asker;
  readonly end?: { readonly at: number; readonly registrations: readonly UndoneFate[] };
}

/** What a drain's entries, in their order, say of it. Undefined where its beginning is missing. */
export function drainRecord(entries: readonly LedgerEntry[]): DrainRecord | undefined {
  const accepted = entries.find((entry) => entry.type === "accepted");
  if (accepted === undefined) return undefined;
  const { drain: id, node, startedAt } = accepted;
  const requests: AskedRequest[] = [];
  const registrations: (RecordedRegistration | undefined)[] = [];
  const elsewhere: Registration[] = [];
  let ended: Extract<LedgerEntry, { type: "ended" }> | undefined;
  for (const entry of entries) {
    if (entry.type === "accepted" || entry.type === "joined") requests.push(entry.request);
    if (entry.type === "found") elsewhere.push(...entry.elsewhere);
    if (entry.type === "ended") ended = entry;
    apply(registrations, entry);
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
    ...(undo && { undo }),
  };
  return ended === undefined
    ? record
    : { ...record, end: { at: ended.at, outcome: outcomeOf(ended.outcome, { id, node, registrations, elsewhere }) } };
}

function apply(registrations: (RecordedRegistration | undefined)[], entry: LedgerEntry): void {
  if (entry.type === "found") {
    for (const [index, registration] of entry.registrations.entries())
      registrations[entry.first + index] = { registration, foundAt: entry.at, state: "open", cameBack: 0 };
    return;
  }
  if (!("of" in entry)) return;
  for (const number of entry.of) {
    const known = registrations[number];
    if (known !== undefined) registrations[number] = after(known, entry);
  }
}

function after(known: RecordedRegistration, entry: Extract<LedgerEntry, { of: readonly number[] }>) {
  switch (entry.type) {
    case "deregistered": {
      // Held already, and found draining a second time: it has come and gone unseen.
      const isAnew = known.state === "holding" && entry.foundDraining === true && entry.since === undefined;
      const cameBack = known.cameBack + (isAnew ? 1 : 0);
      const isOurs = known.isOurs === true || !entry.foundDraining || known.registration.state !== "draining";
      return { ...known, state: "holding", since: entry.since ?? entry.at, cameBack, isOurs, isBack: false } as const;
    }
    case "deregistering-again":
      return { ...known, state: "open", cameBack: known.cameBack + (entry.because === "back" ? 1 : 0) } as const;
    case "released":
      return { ...known, state: "released", releasedAt: entry.at } as const;
    case "failed":
      return { ...known, state: "open" } as const;
    case "registered":
      return { ...known, isBack: true };
    case "deregister-failed":
    case "look-failed":
    case "guarded":
    case "register-failed":
      return known;
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
    registrations: undone.fates.flatMap((fate) => fateOf(fate, found)),
  };
  return { at, ...(asker && { asker }), ...(end && { end }) };
}

function fateOf({ of, error, ...fate }: RecordedUndone, found: DrainRecord["registrations"]): readonly UndoneFate[] {
  const registration = found[of]?.registration;
  return registration === undefined ? [] : [{ registration, ...fate, ...(error && { error: thrown(error) }) }];
}

/** How it is written down. `numberOf`: below 0 if the ledger has no such registration. */
export function recordedOutcome(
  outcome: EndOfDrain,
  numberOf: (registration: Registration) => number,
): RecordedOutcome {
  const fates = "registrations" in outcome ? outcome.registrations : [];
  return {
    status: outcome.status,
    fates: fates.map((fate) => recordedFate(fate, numberOf)).filter(({ of }) => of >= 0),
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

function recordedFate(
  { registration, error, ...fate }: RegistrationFate,
  numberOf: (registration: Registration) => number,
): RecordedFate {
  const heldMs = Math.round(fate.heldMs);
  return { of: numberOf(registration), ...fate, heldMs, ...(error && { error: recordedError(error) }) };
}

function outcomeOf(
  { status, fates, limit, searched, message, error, refusal, eviction }: RecordedOutcome,
  { id, node, registrations: found, elsewhere }: Pick<DrainRecord, "id" | "node" | "registrations" | "elsewhere">,
): EndOfDrain {
  const about = { drainId: id, node, ...(eviction && { eviction }) };
  const registrations = fates.flatMap(({ of, error: why, ...fate }) => {
    const registration = found[of]?.registration;
    return registration === undefined ? [] : [{ registration, ...fate, ...(why && { error: thrown(why) }) }];
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
