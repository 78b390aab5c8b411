import type { EvictionResult } from "./eviction.ts";
import type { LedgerStep } from "./ledger.ts";
import type { RegistrationStep, Step } from "./steps.ts";

/**
 * The state of one registration as its steps have made it, in a running drain and in its record. Times are milliseconds
 * since the epoch.
 */
export interface RegistrationState {
  /**
   * - `open`: found, without an acknowledged deregistration that is known; or it has to be deregistered again.
   * - `holding`: deregistered.
   * - `released`: the pool has stopped sending traffic.
   * - `kept`: stays registered until the machine goes.
   * - `failed`: could not be deregistered.
   */
  readonly state: "open" | "holding" | "released" | "kept" | "failed";
  /** When the last deregistration was acknowledged. Absent: there was none. */
  readonly since?: number | undefined;
  /** How long it was held, in milliseconds. Absent while it is held. */
  readonly heldMs?: number;
  /** The hold ended early: see `RegistrationStep`. The ledger has this in the outcome only. */
  readonly idleMs?: number;
  /** How often another program registered it again. */
  readonly cameBack: number;
  /** Whether this drain deregistered it, and not another program before. */
  readonly isOurs: boolean;
  /** An undo has registered it again. */
  readonly isBack?: true;
  /** See `HoldProgress`. */
  readonly isEarlier?: true;
}

export const OPEN: RegistrationState = { state: "open", cameBack: 0, isOurs: false };

/** A step, or its ledger entry. */
type Change = RegistrationStep | Extract<LedgerStep, { readonly of: readonly number[] }>;

/**
 * The state of a registration after a step. This is the only way in which it changes. `isFoundLive`: it was not
 * draining when it was found.
 */
export function apply(
  known: RegistrationState,
  change: Change,
  { at, isFoundLive }: { readonly at: number; readonly isFoundLive: boolean },
): RegistrationState {
  switch (change.type) {
    case "deregistered": {
      const { foundDraining = false, isEarlier, since = at } = change;
      // A held target that is found draining for the second time was registered and deregistered unseen in between.
      const isAnew = known.state === "holding" && foundDraining && change.since === undefined;
      const cameBack = known.cameBack + (isAnew ? 1 : 0);
      const isOurs = known.isOurs || !foundDraining || isFoundLive;
      const holding = { state: "holding", since, cameBack, isOurs } as const;
      return isEarlier ? { ...holding, isEarlier } : holding;
    }
    case "deregistering-again": {
      const cameBack = known.cameBack + (change.because === "back" ? 1 : 0);
      return { state: "open", since: known.since, cameBack, isOurs: known.isOurs };
    }
    case "released": {
      const released = over(known, "released", at);
      const early = "idleMs" in change ? change.idleMs : undefined;
      return early === undefined ? released : { ...released, idleMs: early };
    }
    case "failed":
      return over(known, "failed", at);
    case "guarded":
      return change.verdict === "kept" ? over(known, "kept", at) : known;
    case "registered":
      return { ...known, isBack: true };
    default:
      // The step does not change the registration.
      return known;
  }
}

function over(known: RegistrationState, state: "released" | "kept" | "failed", at: number): RegistrationState {
  const { since, cameBack, isOurs, isBack } = known;
  const ended = { state, since, cameBack, isOurs, heldMs: heldMsAt(known, at) };
  return isBack ? { ...ended, isBack } : ended;
}

/** 0 if it was released without a deregistration, because its machine is gone. */
export function heldMsAt({ state, since = 0, heldMs = 0 }: RegistrationState, at: number): number {
  return state === "holding" || heldMs > 0 ? Math.round(Math.max(0, at - since)) : 0;
}

/** Whether the pool of a deregistered target may send nothing new to it any more. */
export function isOut({ state, since }: RegistrationState): boolean {
  return (state === "holding" || state === "released") && since !== undefined;
}

/** The state of the eviction of the node's pods after a step. */
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
