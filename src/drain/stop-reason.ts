import type { Node } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { LimitPassed } from "./limit.ts";
import type { DrainOutcome, RegistrationFate } from "./outcome.ts";

/** Nobody waits for the drain any more. */
export const ABANDONED = Symbol("abandoned");
/** Somebody wants it undone. */
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
