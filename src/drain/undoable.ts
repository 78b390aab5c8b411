import { keyOf, type Registration } from "./cloud-provider.ts";
import type { DrainOutcome, RegistrationResult } from "./outcome.ts";
import { OPEN, type RegistrationState } from "./registration-state.ts";

/** One registration of a drain that was cancelled. */
export interface Undoable {
  readonly registration: Registration;
  /**
   * Which program deregistered it.
   * - `drain`: the drain did. It has to be registered again.
   * - `perhaps`: unknown. A call may have been in flight, so that it may still be registered.
   * - `others`: another program did, before the drain.
   * - `none`: the drain was refused, and deregistered nothing.
   */
  readonly deregisteredBy: "drain" | "perhaps" | "others" | "none";
  /** When the drain's last deregistration was acknowledged, in milliseconds since the epoch. Absent: not known. */
  readonly since?: number;
  /** An earlier try has registered it again, so that nothing remains to be done. */
  readonly isDone?: true;
}

type Known = RegistrationState & { readonly registration: Registration };

/** What a `DrainRecord` has for the registration. */
interface Recorded {
  readonly registrations: readonly (Known | undefined)[];
  readonly end?: { readonly outcome: Pick<DrainOutcome, "status"> };
}

/** What has to be undone of a drain, from its record. */
export function undoablesOfRecord({ registrations, end }: Recorded): readonly Undoable[] {
  const found = registrations.filter((known) => known !== undefined);
  if (end?.outcome.status !== "refused") return found.map(undoableOf);
  return found.map(({ registration }) => ({ registration, deregisteredBy: "none" }));
}

/**
 * What has to be undone of a drain that ended at `stoppedAt` with these results. `found`: everything that it ever
 * found. What an earlier process had begun with is among the results only after a search.
 */
export function undoablesOf(
  results: readonly RegistrationResult[],
  found: readonly Registration[],
  stoppedAt: number,
): readonly Undoable[] {
  const known = new Set(results.map(({ registration }) => keyOf(registration)));
  const unknown = found.filter((registration) => !known.has(keyOf(registration)));
  const listed = results.map(({ registration, state, cameBack, deregistered: isOurs = false, heldMs }): Known => {
    const since = state === "holding" ? stoppedAt - heldMs : undefined;
    return { registration, state: state === "registered" ? "open" : state, since, cameBack, isOurs };
  });
  return [...listed, ...unknown.map((registration): Known => ({ registration, ...OPEN }))].map(undoableOf);
}

function undoableOf({ registration, state, since, cameBack, isOurs, isBack }: Known): Undoable {
  const isOut = state === "holding" || state === "released" || (registration.state === "draining" && cameBack === 0);
  return {
    registration,
    deregisteredBy: isOurs ? "drain" : isOut ? "others" : "perhaps",
    ...(isOurs && since !== undefined ? { since } : {}),
    ...(isBack ? { isDone: isBack } : {}),
  };
}
