import type { FoundRegistrations, Node, Registration } from "./cloud-provider.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import type { Refusal } from "./guard.ts";
import { LimitPassed } from "./limit.ts";
import type { DrainLimit, DrainPlan } from "./plan.ts";

/** How one registration ended, or stood when the drain ended. */
export interface RegistrationFate {
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
  /** Whether new requests and connections had stopped by then. */
  readonly newTrafficStopped: boolean;
  /** How often another program registered it again. */
  readonly cameBack: number;
  /** Whether this drain has deregistered it, and not another program: `cancel` registers it again. Absent: `false`. */
  readonly deregistered?: boolean;
  readonly error?: DrainError;
}

interface Searched {
  /** Registrations in pools that the configured discovery leaves out: they stay as they are. */
  readonly elsewhere: readonly Registration[];
}

interface Ended {
  /** Names this drain in logs and answers. Requests that joined it share it. */
  readonly drainId: string;
  readonly node: Node;
}

/** Every way in which a drain ends. */
export type DrainOutcome =
  /** Traffic from every load balancer has ended, but for what was `kept` until the machine goes. */
  | (Ended & Searched & { readonly status: "drained"; readonly registrations: readonly RegistrationFate[] })
  /** The node was registered nowhere, or only elsewhere. */
  | (Ended & Searched & { readonly status: "nothing-registered" })
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
      readonly registrations: readonly RegistrationFate[];
    })
  /** The drain was cancelled: its targets are being registered again. */
  | (Ended & { readonly status: "cancelled"; readonly registrations: readonly RegistrationFate[] })
  /** The instance is terminated: there was nothing left to do. */
  | { readonly status: "instance-gone"; readonly message: string }
  /** The program was stopped. Deregistrations that were made stay. */
  | (Partial<Ended> & { readonly status: "abandoned"; readonly registrations: readonly RegistrationFate[] })
  /** At least one registration could not be taken out, or the node could not be found. */
  | (Partial<Ended> & {
      readonly status: "failed";
      readonly error: DrainError;
      readonly registrations: readonly RegistrationFate[];
    });

/** Of a drain that has come to its end: what became of each registration is what became of it. */
export function endedOutcome(
  ended: Ended,
  elsewhere: readonly Registration[],
  registrations: readonly RegistrationFate[],
): DrainOutcome {
  if (registrations.length === 0) return { ...ended, elsewhere, status: "nothing-registered" };
  const error = registrations.find(({ state }) => state === "failed")?.error;
  return error === undefined
    ? { ...ended, elsewhere, status: "drained", registrations }
    : { ...ended, status: "failed", error, registrations };
}

/** The outcome where there is no drain yet: the node was not found, or the program is stopping. */
export function endBefore(error: unknown, trouble: DrainError | undefined, signal: AbortSignal): DrainOutcome {
  if (error instanceof LimitPassed) {
    const why = trouble === undefined ? {} : { error: trouble };
    return { status: "deadline-passed", limit: error.limit, searched: false, ...why, registrations: [] };
  }
  if (signal.aborted) return { status: "abandoned", registrations: [] };
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
  readonly registrations: readonly RegistrationFate[];
}

/** Where a node is registered now, and the drain that runs for it, if any. */
export interface NodeStatus extends FoundRegistrations {
  readonly node: Node;
  /** It was so then, and may have changed since, in milliseconds since the epoch. */
  readonly asOf: number;
  readonly drain?: RunningDrain;
}

/** No caller waits for the drain any more. */
export const ABANDONED = Symbol("abandoned");
/** A caller wants it undone. */
export const CANCELLED = Symbol("cancelled");

/** Why a drain is stopped before its end. */
export type StopReason = LimitPassed | typeof ABANDONED | typeof CANCELLED;

/** The outcome of a drain that was stopped. */
export function stoppedOutcome(
  why: StopReason,
  ended: { readonly drainId: string; readonly node: Node; readonly registrations: readonly RegistrationFate[] },
  search: { readonly searched: boolean; readonly error?: DrainError | undefined },
): DrainOutcome {
  if (why === ABANDONED) return { ...ended, status: "abandoned" };
  if (why === CANCELLED) return { ...ended, status: "cancelled" };
  const { searched, error } = search;
  const trouble = error === undefined ? {} : { error };
  return { ...ended, status: "deadline-passed", limit: why.limit, searched, ...trouble };
}
