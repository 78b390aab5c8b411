import { type ClockStamp, type Stamped, stampedAt } from "./clock-stamp.ts";
import type { Node, Registration } from "./cloud-provider.ts";
import type { DrainError, DrainErrorCode } from "./errors.ts";
import type { EvictionResult } from "./eviction.ts";
import type { Refusal } from "./guard.ts";
import type { DrainOutcome, RegistrationResult, UndoneResult } from "./outcome.ts";
import type { DrainLimit } from "./plan.ts";
import type { AskedRequest } from "./request.ts";
import type { Step } from "./steps.ts";

/** The registrations of a drain that are meant: their numbers in the order of `found`, from 0. */
type Of = readonly number[];

/** A dry run is not a drain: nothing of it is written to the ledger. */
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

/** A `DrainOutcome` with numbers in place of registrations. */
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

/**
 * The entries whose fields differ from those of their steps, and the entries of the ledger itself, which are not steps.
 */
export interface OwnForms {
  /** The first entry of each drain. */
  readonly accepted: { readonly node: Node; readonly startedAt: number; readonly request: AskedRequest };
  readonly joined: { readonly request: AskedRequest };
  /** As the cloud listed it, with everything that is needed to register it again. */
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
   * `since`: the hold counts from then instead of from the entry's own time, because the target was deregistered before
   * a restart. `isEarlier`: see `HoldProgress`.
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
   * At its start, the service found that entries before this one are missing or could not be read. For a drain without
   * a beginning this is the only entry: `node` is the id of its node, and is absent if that may be any node.
   */
  readonly gap: { readonly node?: string };
}

/** With numbers in place of registrations, and failures without their causes. */
type CommonForm<S> = S extends unknown
  ? Omit<S, "registration" | "error"> &
      (S extends { readonly registration: Registration } ? { readonly of: Of } : unknown) &
      (S extends { readonly error: DrainError } ? { readonly error: RecordedError } : unknown)
  : never;

/** A step as the ledger has it. A step without a form of its own has the common form. */
export type LedgerStep =
  | CommonForm<Exclude<Step, { readonly type: keyof OwnForms }>>
  | { [T in keyof OwnForms]: { readonly type: T } & OwnForms[T] }[keyof OwnForms];

/** Times are milliseconds since the epoch. */
export type LedgerEntry = LedgerStep & {
  readonly drain: string;
  /** Counts a drain's entries from 1. A missing number is an entry that could not be stored. */
  readonly n: number;
  readonly at: number;
  /** What other clocks showed at that time. `StampedLedger` writes it and uses it. */
  readonly clock?: ClockStamp;
};

/** One drain in a list. */
export interface DrainSummary {
  readonly drain: string;
  readonly node: Pick<Node, "id" | "name" | "network" | "cluster">;
  readonly startedAt: number;
  /** Its first entry, which may have been written minutes after its start. Absent: `startedAt` is by this process's clock. */
  readonly first?: Stamped;
  /** The reasons that the callers gave. */
  readonly reasons: readonly string[];
  /** Absent while the drain runs. */
  readonly end?: Stamped & { readonly status: EndOfDrain["status"] };
  /** Absent: it was not cancelled. */
  readonly undo?: "running" | "ended";
}

/** The states by which drains can be listed: running, or how they have ended. */
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
  /** The planned length of the hold, in milliseconds. */
  readonly holdMs: number;
  readonly cameBack: number;
}

/**
 * What a ledger remembers of one drain for the next drain of its node, so that the next one does not wait for a disk.
 */
export interface RememberedDrain {
  readonly drain: string;
  /** When its first request arrived, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** As in `DrainSummary`. */
  readonly first?: Stamped;
  /** Every pool was read, and what was registered was written down, so that nothing before that is unknown. */
  readonly hasSearched: boolean;
  /** The ids of the events that asked for it and that no process had tried before. */
  readonly firstTries: readonly string[];
  /** Absent while the drain runs. */
  readonly end: (Stamped & { readonly status: EndOfDrain["status"] }) | undefined;
  /** Empty while the drain runs. */
  readonly held: readonly HeldAtEnd[];
  /**
   * Until when it was to hold registrations whose entries are missing, in milliseconds since the epoch. Absent: no
   * entries are missing.
   */
  readonly lostHeldUntil: number | undefined;
  /** The keys of the registrations that an undo has registered again. */
  readonly registeredAgain: readonly string[];
}

/** Whether nothing remains to be done about a drain. */
export function isOver({ end, undo }: Pick<DrainSummary, "end" | "undo">): boolean {
  return end !== undefined && undo !== "running";
}

/** The longest wait for an entry to be appended. */
export const APPENDED_WITHIN_MS = 5_000;
/** The same for an entry to be noted. A deregistration waits for this, so that a hold is never forgotten. */
export const NOTED_WITHIN_MS = 250;

/**
 * Which drains were accepted, and what has happened in them. Implementations: a file, and memory.
 *
 * A drain that has not ended is kept whole, so that the next process can resume it. Of the drains that have ended, the
 * newest are kept, within the bounds of the implementation. Entries are stored in the order in which they are given,
 * each once. The ledger never stops a drain: what can't be stored is lost, and the gap in the numbers shows it. Reads
 * do not delay drains, because writes come first.
 */
export interface Ledger {
  /** Accepts an entry to be written soon. */
  note(entry: LedgerEntry): void;

  /**
   * Resolves when the entries given so far would survive the end of this process. Rejects if that can't be promised,
   * after `NOTED_WITHIN_MS` at the latest.
   */
  noted(): Promise<void>;

  /**
   * Resolves when the entry can be lost only together with its storage. Rejects with `ledger-unavailable` if that
   * fails, or takes longer than `APPENDED_WITHIN_MS`. The entry may be stored later all the same.
   */
  append(entry: LedgerEntry): Promise<void>;

  /** The newest drains first, at most `max`. */
  list(max: number): readonly DrainSummary[];

  /** All drains of the node with this id, newest first. Drains of other nodes do not make it slower. */
  listOf(nodeId: string): readonly DrainSummary[];

  /**
   * What is remembered of the drains of the node with this id, newest first. It is answered at once, whatever the disk
   * is doing, because a drain that is about to begin asks.
   */
  remembered(nodeId: string): readonly RememberedDrain[];

  /**
   * Until when drains may have deregistered targets of the node about which nothing is known because entries are
   * missing, in milliseconds since the epoch. Undefined: nothing is missing. It is answered at once.
   */
  unknownSince(nodeId: string): number | undefined;

  /** All entries of a drain, in order. Undefined: there is no drain of that id. Throws `ledger-unavailable`. */
  read(drain: string, signal: AbortSignal): Promise<readonly LedgerEntry[] | undefined>;

  /** Passes each entry of a drain to `onEntry` when it is given, until the returned function is called. */
  follow(drain: string, onEntry: (entry: LedgerEntry) => void): () => void;

  /** The entries of each drain that is not over (`isOver`), oldest first. Throws `ledger-unavailable`. */
  unfinished(signal: AbortSignal): Promise<readonly (readonly LedgerEntry[])[]>;
}

/** Updates the summary of a drain. Undefined: the drain's beginning is not known. */
export function summaryWith(summary: DrainSummary | undefined, entry: LedgerEntry): DrainSummary | undefined {
  switch (entry.type) {
    case "accepted": {
      const { id, name, network, cluster } = entry.node;
      const node = { id, name, network, ...(cluster === undefined ? {} : { cluster }) };
      const { reason } = entry.request;
      const reasons = reason === undefined ? [] : [reason];
      return { drain: entry.drain, node, startedAt: entry.startedAt, first: stampedAt(entry), reasons };
    }
    case "joined": {
      const { reason } = entry.request;
      if (summary === undefined || reason === undefined || summary.reasons.includes(reason)) return summary;
      return { ...summary, reasons: [...summary.reasons, reason] };
    }
    case "ended":
      return summary && { ...summary, end: { ...stampedAt(entry), status: entry.outcome.status } };
    case "cancelled":
      return summary && { ...summary, undo: "running" };
    case "undone":
      return summary && { ...summary, undo: "ended" };
    default:
      return summary;
  }
}
