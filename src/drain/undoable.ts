import { keyOf, type Registration } from "./cloud-provider.ts";
import type { RegistrationResult } from "./outcome.ts";

export type { UndoneResult } from "./outcome.ts";

/** One registration of a drain that was cancelled. */
export interface Undoable {
  readonly registration: Registration;
  /**
   * Who has deregistered it.
   * - `drain`: the drain; it is to be registered again.
   * - `perhaps`: it is unknown, and a call may have been in flight: it may still be registered.
   * - `others`: another program, before the drain.
   * - `none`: the drain was refused, and deregistered nothing.
   */
  readonly deregisteredBy: "drain" | "perhaps" | "others" | "none";
  /** When the drain's last deregistration was acknowledged, in milliseconds since the epoch. Absent: not known. */
  readonly since?: number;
  /** An earlier try has registered it again, and nothing is left to do. */
  readonly isDone?: true;
}

/**
 * What there is to undo of a drain that ended at `stoppedAt`, with these results. `found`: all that it ever found; what an
 * earlier process had begun with is not among the results before a search has been there.
 */
export function undoablesOf(
  results: readonly RegistrationResult[],
  found: readonly Registration[],
  stoppedAt: number,
): readonly Undoable[] {
  const known = new Set(results.map(({ registration }) => keyOf(registration)));
  const unknown = found.filter((registration) => !known.has(keyOf(registration)));
  const isOthers = ({ registration, state, cameBack }: RegistrationResult) =>
    state === "holding" || state === "released" || (registration.state === "draining" && cameBack === 0);
  const listed = results.map((result): Undoable => {
    const { registration, state, heldMs, deregistered = false } = result;
    const deregisteredBy = deregistered ? "drain" : isOthers(result) ? "others" : "perhaps";
    return { registration, deregisteredBy, ...(state === "holding" ? { since: stoppedAt - heldMs } : {}) };
  });
  const unlisted = unknown.map((registration): Undoable => {
    return { registration, deregisteredBy: registration.state === "draining" ? "others" : "perhaps" };
  });
  return [...listed, ...unlisted];
}
