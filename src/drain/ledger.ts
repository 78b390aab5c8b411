import type { ClockStamp, Stamped } from "./clock-stamp.ts";
import type { Node, Registration } from "./cloud-provider.ts";
import type { DrainError, DrainErrorCode } from "./errors.ts";
import type { EvictionResult } from "./eviction.ts";
import type { Refusal } from "./guard.ts";
import type { DrainOutcome, RegistrationResult } from "./outcome.ts";
import type { DrainLimit } from "./plan.ts";
import type { AskedRequest } from "./request.ts";
import type { Step } from "./steps.ts";
import type { UndoneResult } from "./undoable.ts";

/** Which registrations of a drain are meant: their numbers, in the order of `found`, from 0. */
type Of = readonly number[];

/** A dry run is no drain: nothing of it is written down. */
export type EndOfDrain = Exclude<DrainOutcome, { readonly status: "planned" }>;

export interface RecordedError {
  readonly code: DrainErrorCode;
  readonly message: string;
}

export type RecordedResult = Omit<RegistrationResult, "registration" | "error"> & {
  readonly of: number;
  readonly error?: RecordedError;
};

export type RecordedUndone = Omit<UndoneResult, "registration" | "error"> & {
  readonly of: number;
  readonly error?: RecordedError;
};

/** A `DrainOutcome` whose registrations are numbers. */
export interface RecordedOutcome {
  readonly status: EndOfDrain["status"];
  readonly registrations: readonly RecordedResult[];
  readonly limit?: DrainLimit;
  readonly searched?: boolean;
  readonly message?: string;
  readonly refusal?: Refusal;
  readonly eviction?: EvictionResult;
  readonly error?: RecordedError;
}

/** What the entries of these steps have is not what the steps have; and what is no step, but of the ledger itself. */
export interface OwnForms {
  /** The first entry of each drain. */
  readonly accepted: { readonly node: Node; readonly startedAt: number; readonly request: AskedRequest };
  readonly joined: { readonly request: AskedRequest };
  /** As the cloud listed it, with all that registering it again needs. */
  readonly found: {
    /** The number of the first one. */
    readonly first: number;
    readonly registrations: readonly Registration[];
    readonly elsewhere: readonly Registration[];
  };
  readonly planned: {
    readonly longestHoldMs: number;
    readonly limit: DrainLimit;
    readonly warnings: readonly string[];
  };
  /**
   * `since`: held since then, where that is not the entry's own moment: it was deregistered before a restart. `isEarlier`:
   * see `HoldProgress`.
   */
  readonly deregistered: {
    readonly of: Of;
    readonly foundDraining?: true;
    readonly since?: number;
    readonly isEarlier?: true;
  };
  readonly released: { readonly of: Of };
  readonly ended: { readonly outcome: RecordedOutcome };
  readonly undone: { readonly registrations: readonly RecordedUndone[] };
  /** The process was stopped before the drain had ended. */
  readonly interrupted: object;
  /**
   * A start of the service has found that entries are missing before this one, or could not be read. Of a drain without a
   * beginning the only entry: `node` is its node's id, and absent where that may be any node.
   */
  readonly gap: { readonly node?: string };
}

/** With numbers in place of registrations, and failures without their causes. */
type CommonForm<S> = S extends unknown
  ? Omit<S, "registration" | "error"> &
      (S extends { readonly registration: Registration } ? { readonly of: Of } : unknown) &
      (S extends { readonly error: DrainError } ? { readonly error: RecordedError } : unknown)
  : never;

/** A step as the ledger has it. A step without a form of its own has the common one. */
export type LedgerStep =
  | CommonForm<Exclude<Step, { readonly type: keyof OwnForms }>>
  | { [T in keyof OwnForms]: { readonly type: T } & OwnForms[T] }[keyof OwnForms];

/** Moments are milliseconds since the epoch. */
export type LedgerEntry = LedgerStep & {
  readonly drain: string;
  /** Counts a drain's entries from 1. One that is missing could not be stored. */
  readonly n: number;
  readonly at: number;
  /** What other clocks said then. `StampedLedger` writes it, and reads by it. */
  readonly clock?: ClockStamp;
};

/** One drain in a list. */
export interface DrainSummary {
  readonly drain: string;
  readonly node: Pick<Node, "id" | "name" | "network" | "cluster">;
  readonly startedAt: number;
  /** Of its first entry. */
  readonly clock?: ClockStamp;
  /** Why, in the callers' words. */
  readonly reasons: readonly string[];
  /** Absent while it runs. */
  readonly end?: Stamped & { readonly status: EndOfDrain["status"] };
  /** Absent: it was not cancelled. */
  readonly undo?: "running" | "ended";
}

/** By what drains can be listed: whether they run, or how they have ended. */
export const DRAIN_STATES = [
  "running",
  "ended",
  "drained",
  "nothing-registered",
  "possibly-registered",
  "deadline-passed",
  "refused",
  "cancelled",
  "superseded",
  "instance-gone",
  "failed",
  "abandoned",
] as const satisfies readonly ("running" | "ended" | EndOfDrain["status"])[];

/** A registration that a drain was holding when it ended. */
export interface HeldAtEnd {
  readonly registration: Registration;
  /** In milliseconds since the epoch. */
  readonly heldSince: number;
  /** How long the hold was to be, in milliseconds. */
  readonly holdMs: number;
  readonly cameBack: number;
}

/** What a ledger remembers of one drain for the next one of its node, so that this has to wait for no disk. */
export interface RememberedDrain {
  readonly drain: string;
  /** When its first request came, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** Of its first entry. */
  readonly clock?: ClockStamp | undefined;
  /** Every pool was asked, and what was registered was written down: nothing of that time is unknown. */
  readonly hasSearched: boolean;
  /** The ids of the events that asked for it, and had been tried by no process before. */
  readonly firstTries: readonly string[];
  /** Absent while it runs. */
  readonly end: (Stamped & { readonly status: EndOfDrain["status"] }) | undefined;
  /** Empty while it runs. */
  readonly held: readonly HeldAtEnd[];
  /** Until when it was to hold registrations whose entries are missing, in milliseconds since the epoch. Absent: there are none. */
  readonly lostHeldUntil: number | undefined;
  /** The keys of what an undo has registered again. */
  readonly registeredAgain: readonly string[];
}

/** Whether nothing is left to be done about a drain. */
export function isOver({ end, undo }: Pick<DrainSummary, "end" | "undo">): boolean {
  return end !== undefined && undo !== "running";
}

/** The longest wait for an entry to be appended. */
export const APPENDED_WITHIN_MS = 5_000;
/** The same for an entry to be noted. A deregistration waits for that, so that a hold is never forgotten. */
export const NOTED_WITHIN_MS = 250;

/**
 * What drains were accepted, and what has become of them. Implementations: a file, and memory.
 *
 * A drain that has not ended is retained whole, for the next process to resume; of those that have ended the newest, up to
 * the implementation's bounds. Entries are stored in the order in which they are given, each once. Nothing here stops a
 * drain: what can't be stored is lost, and the gap in the numbers says so. Readers delay no drain: what is written comes first.
 */
export interface Ledger {
  /** Takes it down, in time. */
  note(entry: LedgerEntry): void;

  /**
   * Resolves once the death of this process can't lose what was given so far, or rejects if that can't be promised:
   * after `NOTED_WITHIN_MS` at the latest.
   */
  noted(): Promise<void>;

  /**
   * Resolves once nothing but the loss of its storage can lose the entry. Rejects with `ledger-unavailable` when
   * that fails, or takes longer than `APPENDED_WITHIN_MS`; the entry may be stored later all the same.
   */
  append(entry: LedgerEntry): Promise<void>;

  /** The newest drains first, `max` at most. */
  list(max: number): readonly DrainSummary[];

  /** All drains of the node with this id, the newest first. Takes no longer when there are many of other nodes. */
  listOf(nodeId: string): readonly DrainSummary[];

  /**
   * What is remembered of the drains of the node with this id, the newest first. Answered at once, whatever the disk is
   * at, for a drain that is about to begin asks.
   */
  remembered(nodeId: string): readonly RememberedDrain[];

  /**
   * Until when drains may have deregistered targets of the node of which nothing is known, because their entries are
   * missing: in milliseconds since the epoch. Undefined: nothing is missing. Answered at once.
   */
  unknownSince(nodeId: string): number | undefined;

  /** Everything stored of a drain, in order. Undefined: there is none of that name. Throws `ledger-unavailable`. */
  read(drain: string, signal: AbortSignal): Promise<readonly LedgerEntry[] | undefined>;

  /** Hands over each entry of a drain as it is given, until the returned function is called. */
  follow(drain: string, onEntry: (entry: LedgerEntry) => void): () => void;

  /** The entries of each drain that is not over (`isOver`), oldest first. Throws `ledger-unavailable`. */
  unfinished(signal: AbortSignal): Promise<readonly (readonly LedgerEntry[])[]>;
}

/** Brings a drain's summary up to date. Undefined: the drain's beginning is not known. */
export function summaryWith(summary: DrainSummary | undefined, entry: LedgerEntry): DrainSummary | undefined {
  switch (entry.type) {
    case "accepted": {
      const { id, name, network, cluster } = entry.node;
      const node = { id, name, network, ...(cluster === undefined ? {} : { cluster }) };
      const { reason } = entry.request;
      const reasons = reason === undefined ? [] : [reason];
      return { drain: entry.drain, node, startedAt: entry.startedAt, ...stampOf(entry), reasons };
    }
    case "joined": {
      const { reason } = entry.request;
      if (summary === undefined || reason === undefined || summary.reasons.includes(reason)) return summary;
      return { ...summary, reasons: [...summary.reasons, reason] };
    }
    case "ended":
      return summary && { ...summary, end: { at: entry.at, ...stampOf(entry), status: entry.outcome.status } };
    case "cancelled":
      return summary && { ...summary, undo: "running" };
    case "undone":
      return summary && { ...summary, undo: "ended" };
    default:
      return summary;
  }
}

function stampOf({ clock }: LedgerEntry): { readonly clock?: ClockStamp } {
  return clock === undefined ? {} : { clock };
}
