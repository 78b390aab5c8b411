import type { EvictionResult } from "./eviction.ts";
import type { LedgerStep } from "./ledger.ts";
import type { RegistrationStep, Step } from "./steps.ts";

/** What steps have made of one registration, in a drain that runs and in its record. Moments are milliseconds since the epoch. */
export interface RegistrationState {
  /**
   * - `open`: found, and nothing is known of an acknowledged deregistration; or it is to be made again.
   * - `holding`: deregistered.
   * - `released`: the pool has stopped sending.
   * - `kept`: left registered until the machine goes.
   * - `failed`: could not be taken out.
   */
  readonly state: "open" | "holding" | "released" | "kept" | "failed";
  /** When the last acknowledged deregistration was. Absent: there was none. */
  readonly since?: number;
  /** For how long it was held, in milliseconds, once that is over. */
  readonly heldMs?: number;
  /** How often another program registered it again. */
  readonly cameBack: number;
  /** Deregistered by this drain, and not by another program before it. */
  readonly isOurs?: true;
  /** An undo has registered it again. */
  readonly isBack?: true;
  /** See `HoldProgress`. */
  readonly isEarlier?: true;
}

export const OPEN: RegistrationState = { state: "open", cameBack: 0 };

/** A step, or its entry. */
type Change = RegistrationStep | Extract<LedgerStep, { readonly of: readonly number[] }>;

/** How a registration stands after a step. The only way in which it changes. `isFoundLive`: it was not draining when it was found. */
export function apply(
  known: RegistrationState,
  change: Change,
  { at, isFoundLive }: { readonly at: number; readonly isFoundLive: boolean },
): RegistrationState {
  const { since, cameBack, isOurs, isBack } = known;
  const lasts = { ...(since !== undefined && { since }), ...(isOurs && { isOurs }), ...(isBack && { isBack }) };
  switch (change.type) {
    case "deregistered": {
      const { foundDraining = false, isEarlier } = change;
      // Held already, and found draining a second time: it has come and gone unseen.
      const isAnew = known.state === "holding" && foundDraining && change.since === undefined;
      const isByDrain = isOurs || !foundDraining || isFoundLive;
      return {
        state: "holding",
        since: change.since ?? at,
        cameBack: cameBack + (isAnew ? 1 : 0),
        ...(isByDrain && { isOurs: true }),
        ...(isEarlier && { isEarlier }),
      };
    }
    case "deregistering-again":
      return { ...lasts, state: "open", cameBack: cameBack + (change.because === "back" ? 1 : 0) };
    case "released":
    case "failed":
      return { ...lasts, state: change.type, cameBack, heldMs: heldMsAt(known, at) };
    case "guarded":
      return change.verdict === "kept" ? { ...lasts, state: "kept", cameBack, heldMs: heldMsAt(known, at) } : known;
    case "registered":
      return { ...known, isBack: true };
    default:
      // It stands where it stood.
      return known;
  }
}

/** What was released without a deregistration belongs to a machine that is gone: 0. */
export function heldMsAt({ state, since = 0, heldMs = 0 }: RegistrationState, at: number): number {
  return state === "holding" || heldMs > 0 ? Math.round(Math.max(0, at - since)) : 0;
}

/** Whether its pool may send it nothing new any more, once it was deregistered. */
export function isOut({ state, since }: RegistrationState): boolean {
  return (state === "holding" || state === "released") && since !== undefined;
}

/** How far the eviction of a node's pods has come. */
export function evictionAfter(result: EvictionResult | undefined, step: Step): EvictionResult | undefined {
  const { evicted = 0, remaining = [] } = result ?? {};
  switch (step.type) {
    case "evicting": {
      const known = new Set(remaining.map(({ pod }) => pod));
      const added = step.pods.filter((pod) => !known.has(pod)).map((pod) => ({ pod }));
      return { evicted, remaining: [...remaining, ...added] };
    }
    case "evicted": {
      const others = remaining.filter(({ pod }) => !step.pods.includes(pod));
      return { evicted: evicted + step.pods.length, remaining: others };
    }
    case "eviction-refused": {
      const why = step.error.message;
      return { evicted, remaining: remaining.map((one) => (one.pod === step.pod ? { ...one, why } : one)) };
    }
    default:
      return result;
  }
}
