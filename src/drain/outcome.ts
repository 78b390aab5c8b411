import type { FoundRegistrations, Node, Registration } from "./cloud-provider.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import type { EvictionResult } from "./eviction.ts";
import type { Refusal } from "./guard.ts";
import { LimitPassed } from "./limit.ts";
import { type DrainLimit, type DrainPlan, doubtful } from "./plan.ts";

/** How one registration ended, or its state when the drain ended. */
export interface RegistrationResult {
  readonly registration: Registration;
  /**
   * - `released`: the pool has stopped sending traffic.
   * - `holding`: deregistered, and the drain ended before the hold did.
   * - `registered`: still registered, because the drain ended before the target could be deregistered.
   * - `failed`: could not be deregistered. `error` says why.
   * - `kept`: stays registered until the machine goes, because no other healthy target would have remained.
   */
  readonly state: "released" | "holding" | "registered" | "failed" | "kept";
  /**
   * What the guard did. Absent: nothing, because enough targets remained or no target was healthy.
   * - `waited`: the target was deregistered when enough others were healthy.
   * - `overridden`: it was deregistered although too few would remain or their number was unknown, because the time was
   *   up.
   * - `forced`: the number of remaining targets was not checked.
   */
  readonly guard?: "waited" | "overridden" | "forced";
  /** From the acknowledged deregistration to the end, in milliseconds. 0 if there was no deregistration. */
  readonly heldMs: number;
  /** The planned length of the hold, in milliseconds. Absent if the drain ended before it was known. */
  readonly holdMs?: number;
  /** The hold ended early, because the agent on the node had counted no connection for this time, in milliseconds. */
  readonly idleMs?: number;
  /** Whether new requests and connections had stopped by then. */
  readonly newTrafficStopped: boolean;
  /** How often another program registered it again. */
  readonly cameBack: number;
  /**
   * Whether this drain deregistered the target, and not another program: `cancel` registers it again. Absent: `false`.
   */
  readonly deregistered?: boolean;
  readonly error?: DrainError;
}

/** The result of the undo for one registration of a cancelled drain. */
export interface UndoneResult {
  readonly registration: Registration;
  /**
   * - `registered`: registered again, and its pool was seen to list it.
   * - `untouched`: the drain had not deregistered it.
   * - `left`: another program had deregistered it before the drain, so that it stays deregistered.
   * - `failed`: could not be registered again. `error` says why.
   */
  readonly state: "registered" | "untouched" | "left" | "failed";
  readonly error?: DrainError;
}

/** The result of the undo of a drain. */
export interface UndoOutcome {
  readonly drainId: string;
  readonly node: UndoneNode;
  readonly registrations: readonly UndoneResult[];
  /** Why the cluster still excludes the node. Absent: it does not, or no cluster is configured. */
  readonly stillExcluded?: DrainError;
}

/** The node as the drain knew it. Its machine may be gone. */
export type UndoneNode = Pick<Node, "id" | "name" | "network" | "cluster">;

interface Searched {
  /**
   * Registrations in pools that the configured discovery excludes, or that may be another machine's. They are not
   * changed.
   */
  readonly elsewhere: readonly Registration[];
  /** What the search could not read, in sentences for people. Absent: nothing. */
  readonly warnings?: readonly string[];
}

interface Ended {
  /** Names this drain in logs and answers. Requests that joined it share it. */
  readonly drainId: string;
  readonly node: Node;
  /** The result of the eviction of the node's pods. Absent: no eviction was requested, or none had begun. */
  readonly eviction?: EvictionResult;
}

/** Every way in which a drain ends. */
export type DrainOutcome =
  /** Traffic from every load balancer has ended, except to targets that are `kept` until the machine goes. */
  | (Ended & Searched & { readonly status: "drained"; readonly registrations: readonly RegistrationResult[] })
  /** The node was registered nowhere, or only elsewhere. */
  | (Ended & Searched & { readonly status: "nothing-registered" })
  /**
   * Everything that is certainly the node's is deregistered, and some targets in `elsewhere` may be the node's too
   * (`doubt`). They were not changed, because they may be another machine's. They may send traffic to the node.
   */
  | (Ended &
      Searched & { readonly status: "possibly-registered"; readonly registrations: readonly RegistrationResult[] })
  /** The caller accepts refusal, and was refused. Nothing was deregistered. */
  | (Ended & { readonly status: "refused"; readonly refusal: Refusal })
  /** Dry run: what would have been done. */
  | (Ended & { readonly status: "planned"; readonly plan: DrainPlan })
  /** The time was up before traffic had ended. */
  | (Partial<Ended> & {
      readonly status: "deadline-passed";
      readonly limit: DrainLimit;
      /** Whether every pool was read. If not, the node may be registered in others too. */
      readonly searched: boolean;
      /** The failure of the call that kept failing, if one did: of the search, or of a read that the guard needed. */
      readonly error?: DrainError;
      readonly registrations: readonly RegistrationResult[];
    })
  /** The drain was cancelled. Its targets are being registered again. */
  | (Ended & { readonly status: "cancelled"; readonly registrations: readonly RegistrationResult[] })
  /**
   * The announcement does not apply any more: the machine runs although it was said to stop, or has stopped already.
   * `undone`: the result of the undo of what the drain had deregistered. Absent if it had deregistered nothing, or may
   * not register targets again.
   */
  | (Partial<Ended> & {
      readonly status: "superseded";
      readonly message: string;
      readonly registrations: readonly RegistrationResult[];
      readonly undone?: readonly UndoneResult[];
    })
  /** The instance is terminated, so that nothing remained to be done. */
  | { readonly status: "instance-gone"; readonly message: string }
  /** The program was stopped. Targets that were deregistered stay deregistered. */
  | (Partial<Ended> & { readonly status: "abandoned"; readonly registrations: readonly RegistrationResult[] })
  /** At least one registration could not be deregistered, or the node could not be found. */
  | (Partial<Ended> & {
      readonly status: "failed";
      readonly error: DrainError;
      readonly registrations: readonly RegistrationResult[];
    });

/** The outcome of a drain that has come to its end: it follows from the results of the registrations. */
export function endedOutcome(
  ended: Ended,
  searched: Searched,
  registrations: readonly RegistrationResult[],
): DrainOutcome {
  const error = registrations.find(({ state }) => state === "failed")?.error;
  if (error !== undefined) return { ...ended, status: "failed", error, registrations };
  const found = { ...ended, ...searched };
  if (doubtful(searched.elsewhere).length > 0) return { ...found, status: "possibly-registered", registrations };
  return registrations.length === 0
    ? { ...found, status: "nothing-registered" }
    : { ...found, status: "drained", registrations };
}

/**
 * What an outcome means for the machine, and so for what waits for the drain: a hook, a message, a notice, a holder.
 * - `can-go`: no traffic comes any more, or the machine goes in any case.
 * - `waits`: traffic may still come. Request the drain again.
 * - `stays`: the machine is not to be drained, or not any more.
 * - `undecided`: nothing was completed, because the program stops, or was asked for a plan.
 */
export type MachineVerdict = "can-go" | "waits" | "stays" | "undecided";

/** What follows from each outcome for the code that acts on it. The words for it are up to each reader. */
export interface OutcomeMeaning {
  readonly verdict: MachineVerdict;
  /** No load balancer sends traffic to the node any more, so that nothing remains to be held. */
  readonly isWhole: boolean;
  /** The drain may have deregistered something, so that there may be something to undo. */
  readonly mayTakeOut: boolean;
}

export const OUTCOMES: Readonly<Record<DrainOutcome["status"], OutcomeMeaning>> = {
  drained: { verdict: "can-go", isWhole: true, mayTakeOut: true },
  // Earlier drains may have deregistered what this one did not find.
  "nothing-registered": { verdict: "can-go", isWhole: true, mayTakeOut: true },
  "instance-gone": { verdict: "can-go", isWhole: true, mayTakeOut: false },
  // A timeout says only how long the caller waits. The machine is still there, and so is its traffic.
  "deadline-passed": { verdict: "waits", isWhole: false, mayTakeOut: true },
  "possibly-registered": { verdict: "waits", isWhole: false, mayTakeOut: true },
  failed: { verdict: "waits", isWhole: false, mayTakeOut: true },
  refused: { verdict: "waits", isWhole: false, mayTakeOut: false },
  superseded: { verdict: "stays", isWhole: false, mayTakeOut: true },
  cancelled: { verdict: "stays", isWhole: false, mayTakeOut: true },
  planned: { verdict: "undecided", isWhole: false, mayTakeOut: false },
  abandoned: { verdict: "undecided", isWhole: false, mayTakeOut: true },
};

/** Whether a drain can end with this status. A file or a service may contain anything. */
export function isOutcomeStatus(said: unknown): said is DrainOutcome["status"] {
  return typeof said === "string" && Object.hasOwn(OUTCOMES, said);
}

/** Of an outcome, or of its report. Undefined: a service of another version has reported it. */
export function verdictOf({ status, limit }: ReportedOutcome): MachineVerdict | undefined {
  return status === "deadline-passed" && limit?.reason === "deadline"
    ? "can-go"
    : (OUTCOMES[status] as OutcomeMeaning | undefined)?.verdict;
}

export interface ReportedOutcome {
  readonly status: DrainOutcome["status"];
  readonly limit?: Pick<DrainLimit, "reason">;
}

/** The outcome when there is no drain yet: the node was not found, or the program is stopping. */
export function endBefore(error: unknown, trouble: DrainError | undefined, signal: AbortSignal): DrainOutcome {
  if (error instanceof LimitPassed) {
    const why = trouble === undefined ? {} : { error: trouble };
    return { status: "deadline-passed", limit: error.limit, searched: false, ...why, registrations: [] };
  }
  if (signal.aborted) return { status: "abandoned", registrations: [] };
  if (error instanceof Superseded) return { status: "superseded", message: error.message, registrations: [] };
  const failure = asDrainError(error);
  if (failure.code === "instance-gone") return { status: "instance-gone", message: failure.message };
  return { status: "failed", error: failure, registrations: [] };
}

/** A drain that has not ended. */
export interface RunningDrain {
  readonly drainId: string;
  /** When the first request for it arrived, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** The reasons that the callers gave. */
  readonly reasons: readonly string[];
  /** When the drain ends even if traffic has not. Absent during the search if no request has a limit. */
  readonly limit?: DrainLimit;
  /** The state of each registration. Empty while the search has found none. */
  readonly registrations: readonly RegistrationResult[];
  /**
   * Until when load balancers may send traffic to the node itself, as opposed to its pods' own addresses, in
   * milliseconds since the epoch. `Infinity`: not known yet. Absent: they have stopped.
   */
  readonly sendsUntil?: number;
}

/** Where a node is registered now, and its running drain, if there is one. */
export interface NodeStatus extends FoundRegistrations {
  readonly node: Node;
  /** When this was read, in milliseconds since the epoch. It may have changed since. */
  readonly asOf: number;
  readonly drain?: RunningDrain;
  /** The last drain that has ended. Absent while a drain runs, if none is known, and without a ledger. */
  readonly lastDrain?: EndedDrain;
}

/** A drain that has ended. Times are milliseconds since the epoch. */
export interface EndedDrain {
  readonly drainId: string;
  readonly startedAt: number;
  /** The reasons that the callers gave. */
  readonly reasons: readonly string[];
  readonly endedAt: number;
  readonly status: Exclude<DrainOutcome["status"], "planned">;
  /** Absent: it was not cancelled. */
  readonly undo?: "running" | "ended";
  /** Absent if it could not be read. */
  readonly outcome?: DrainOutcome;
}

/** No caller waits for the drain any more. */
export const ABANDONED = Symbol("abandoned");
/** A caller has cancelled the drain. */
export const CANCELLED = Symbol("cancelled");

/** The announcement of a request does not apply any more. Its message says why. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

/** Why a drain is stopped before its end. */
export type StopReason = LimitPassed | Superseded | typeof ABANDONED | typeof CANCELLED;

/** Whether `reason` is a stop reason, and not an error that a call has thrown. */
export function isStopReason(reason: unknown): reason is StopReason {
  return reason === ABANDONED || reason === CANCELLED || reason instanceof LimitPassed || reason instanceof Superseded;
}

/** The outcome of a drain that was stopped. */
export function stoppedOutcome(
  why: StopReason,
  ended: Ended & { readonly registrations: readonly RegistrationResult[] },
  search: { readonly searched: boolean; readonly error?: DrainError | undefined },
): DrainOutcome {
  if (why === ABANDONED) return { ...ended, status: "abandoned" };
  if (why === CANCELLED) return { ...ended, status: "cancelled" };
  if (why instanceof Superseded) return { ...ended, status: "superseded", message: why.message };
  const { searched, error } = search;
  const trouble = error === undefined ? {} : { error };
  return { ...ended, status: "deadline-passed", limit: why.limit, searched, ...trouble };
}
