import type { FoundRegistrations, Node, Registration } from "./cloud-provider.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import type { EvictionResult } from "./eviction.ts";
import type { Refusal } from "./guard.ts";
import { LimitPassed } from "./limit.ts";
import { type DrainLimit, type DrainPlan, doubtful } from "./plan.ts";

/** How one registration ended, or stood when the drain ended. */
export interface RegistrationResult {
  readonly registration: Registration;
  /**
   * - `released`: the pool has stopped sending traffic.
   * - `holding`: deregistered, and the drain ended before the hold did.
   * - `registered`: still registered: the drain ended before it could be deregistered.
   * - `failed`: could not be taken out; `error` says why.
   * - `kept`: left registered until the machine goes, because no other healthy target would have stayed.
   */
  readonly state: "released" | "holding" | "registered" | "failed" | "kept";
  /**
   * What the guard did. Absent: nothing, for enough stayed or nothing was healthy.
   * - `waited`: it was deregistered once enough others were healthy.
   * - `overridden`: it was deregistered although too few would remain or their number was unknown: time was up.
   * - `forced`: it was not checked how many would remain.
   */
  readonly guard?: "waited" | "overridden" | "forced";
  /** From the acknowledged deregistration to the end, in milliseconds. 0 where there was none. */
  readonly heldMs: number;
  /** How long the hold was to be, in milliseconds. Absent where the drain ended before that was known. */
  readonly holdMs?: number;
  /** The hold ended early, because the agent on the node had counted no connection for so long, in milliseconds. */
  readonly idleMs?: number;
  /** Whether new requests and connections had stopped by then. */
  readonly newTrafficStopped: boolean;
  /** How often another program registered it again. */
  readonly cameBack: number;
  /** Whether this drain has deregistered it, and not another program: `cancel` registers it again. Absent: `false`. */
  readonly deregistered?: boolean;
  readonly error?: DrainError;
}

/** What became of one registration of a drain that was cancelled. */
export interface UndoneResult {
  readonly registration: Registration;
  /**
   * - `registered`: registered again, and its pool was seen to list it.
   * - `untouched`: the drain had not deregistered it.
   * - `left`: another program had deregistered it before the drain, so that it stays deregistered.
   * - `failed`: could not be registered again; `error` says why.
   */
  readonly state: "registered" | "untouched" | "left" | "failed";
  readonly error?: DrainError;
}

/** How the undo of a drain has ended. */
export interface UndoOutcome {
  readonly drainId: string;
  readonly node: UndoneNode;
  readonly registrations: readonly UndoneResult[];
  /** Why the cluster still excludes the node. Absent: it does not, or there is no cluster. */
  readonly stillExcluded?: DrainError;
}

/** As the drain knew it: the machine may be gone. */
export type UndoneNode = Pick<Node, "id" | "name" | "network" | "cluster">;

interface Searched {
  /** Registrations in pools that the configured discovery leaves out, or of another machine perhaps: they stay as they are. */
  readonly elsewhere: readonly Registration[];
  /** What the search could not look for, in sentences for people. Absent: nothing. */
  readonly warnings?: readonly string[];
}

interface Ended {
  /** Names this drain in logs and answers. Requests that joined it share it. */
  readonly drainId: string;
  readonly node: Node;
  /** What has become of the node's pods. Absent: no eviction was asked for, or none had begun. */
  readonly eviction?: EvictionResult;
}

/** Every way in which a drain ends. */
export type DrainOutcome =
  /** Traffic from every load balancer has ended, but for what was `kept` until the machine goes. */
  | (Ended & Searched & { readonly status: "drained"; readonly registrations: readonly RegistrationResult[] })
  /** The node was registered nowhere, or only elsewhere. */
  | (Ended & Searched & { readonly status: "nothing-registered" })
  /**
   * Everything that is certainly the node's is out, and some targets in `elsewhere` may be the node's too (`doubt`). They
   * were not touched, because they may be another machine's. They may send traffic to the node.
   */
  | (Ended &
      Searched & { readonly status: "possibly-registered"; readonly registrations: readonly RegistrationResult[] })
  /** The caller accepts refusal, and was refused: nothing was deregistered. */
  | (Ended & { readonly status: "refused"; readonly refusal: Refusal })
  /** Dry run: what would have been done. */
  | (Ended & { readonly status: "planned"; readonly plan: DrainPlan })
  /** Time was up before traffic had ended. */
  | (Partial<Ended> & {
      readonly status: "deadline-passed";
      readonly limit: DrainLimit;
      /** Whether every pool had been asked: if not, the node may be registered in others too. */
      readonly searched: boolean;
      /** What call kept failing, where one did: of the search, or of what the guard wanted to know. */
      readonly error?: DrainError;
      readonly registrations: readonly RegistrationResult[];
    })
  /** The drain was cancelled: its targets are being registered again. */
  | (Ended & { readonly status: "cancelled"; readonly registrations: readonly RegistrationResult[] })
  /**
   * What was announced no longer holds: the machine runs though it was said to stop, or has stopped already. `undone`:
   * what became of what the drain had deregistered by then; absent where it had not begun, or may not register again.
   */
  | (Partial<Ended> & {
      readonly status: "superseded";
      readonly message: string;
      readonly registrations: readonly RegistrationResult[];
      readonly undone?: readonly UndoneResult[];
    })
  /** The instance is terminated: there was nothing left to do. */
  | { readonly status: "instance-gone"; readonly message: string }
  /** The program was stopped. Deregistrations that were made stay. */
  | (Partial<Ended> & { readonly status: "abandoned"; readonly registrations: readonly RegistrationResult[] })
  /** At least one registration could not be taken out, or the node could not be found. */
  | (Partial<Ended> & {
      readonly status: "failed";
      readonly error: DrainError;
      readonly registrations: readonly RegistrationResult[];
    });

/** Of a drain that has come to its end: what became of each registration is what became of it. */
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
 * What an outcome means for its machine, and so for what waits for the drain: a hook, a message, a notice, a holder.
 * - `can-go`: no traffic comes any more, or the machine is taken now whatever comes.
 * - `waits`: traffic may still come. The drain is to be asked for again.
 * - `stays`: it is not to be drained, or not any more.
 * - `undecided`: nothing was carried out to its end. The program stops, or was asked for a plan.
 */
export type MachineVerdict = "can-go" | "waits" | "stays" | "undecided";

/** What follows from each way to end, for whatever has to act on it. How it is said is each reader's own. */
export interface OutcomeMeaning {
  readonly verdict: MachineVerdict;
  /** Nothing sends the node traffic any more, so that nothing is left to hold. */
  readonly isWhole: boolean;
  /** It may have taken something out, and so there may be something to undo. */
  readonly mayTakeOut: boolean;
}

export const OUTCOMES: Readonly<Record<DrainOutcome["status"], OutcomeMeaning>> = {
  drained: { verdict: "can-go", isWhole: true, mayTakeOut: true },
  // Drains before it may have taken out what it did not find.
  "nothing-registered": { verdict: "can-go", isWhole: true, mayTakeOut: true },
  "instance-gone": { verdict: "can-go", isWhole: true, mayTakeOut: false },
  // A timeout is our own patience: the machine is still there, and so is its traffic.
  "deadline-passed": { verdict: "waits", isWhole: false, mayTakeOut: true },
  "possibly-registered": { verdict: "waits", isWhole: false, mayTakeOut: true },
  failed: { verdict: "waits", isWhole: false, mayTakeOut: true },
  refused: { verdict: "waits", isWhole: false, mayTakeOut: false },
  superseded: { verdict: "stays", isWhole: false, mayTakeOut: true },
  cancelled: { verdict: "stays", isWhole: false, mayTakeOut: true },
  planned: { verdict: "undecided", isWhole: false, mayTakeOut: false },
  abandoned: { verdict: "undecided", isWhole: false, mayTakeOut: true },
};

/** Whether a drain can end so: a file or a service may say anything. */
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

/** The outcome where there is no drain yet: the node was not found, or the program is stopping. */
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
  /** When the first request for it came, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** Why, in the callers' words. */
  readonly reasons: readonly string[];
  /** When it ends even if traffic has not. Absent during the search if no request has a limit. */
  readonly limit?: DrainLimit;
  /** How each registration stands. Empty while they are being looked for. */
  readonly registrations: readonly RegistrationResult[];
  /**
   * Until when load balancers may send traffic to the node itself, which is not to its pods' own addresses, in milliseconds
   * since the epoch. `Infinity`: not known yet. Absent: they have stopped.
   */
  readonly sendsUntil?: number;
}

/** Where a node is registered now, and the drain that runs for it, if any. */
export interface NodeStatus extends FoundRegistrations {
  readonly node: Node;
  /** It was so then, and may have changed since, in milliseconds since the epoch. */
  readonly asOf: number;
  readonly drain?: RunningDrain;
  /** The last one that has ended. Absent while one runs, where none is known, and without a ledger. */
  readonly lastDrain?: EndedDrain;
}

/** A drain that has ended. Moments are milliseconds since the epoch. */
export interface EndedDrain {
  readonly drainId: string;
  readonly startedAt: number;
  /** Why, in the callers' words. */
  readonly reasons: readonly string[];
  readonly endedAt: number;
  readonly status: Exclude<DrainOutcome["status"], "planned">;
  /** Absent: it was not cancelled. */
  readonly undo?: "running" | "ended";
  /** Absent where it could not be read. */
  readonly outcome?: DrainOutcome;
}

/** No caller waits for the drain any more. */
export const ABANDONED = Symbol("abandoned");
/** A caller wants it undone. */
export const CANCELLED = Symbol("cancelled");

/** What a request announces no longer holds. Its message says why. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

/** Why a drain is stopped before its end. */
export type StopReason = LimitPassed | Superseded | typeof ABANDONED | typeof CANCELLED;

/** Whether it is such a reason, and not what a call has thrown. */
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
