import type { Node, Registration } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { Refusal } from "./guard.ts";
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
   * - `overridden`: it was deregistered though too few would stay, or nobody could say: time was up.
   * - `forced`: nobody looked how many would stay.
   */
  readonly guard?: "waited" | "overridden" | "forced";
  /** From the accepted deregistration to the end, in milliseconds. 0 where there was none. */
  readonly heldMs: number;
  /** How long the hold was to be, in milliseconds. Absent where the drain ended before that was known. */
  readonly holdMs?: number;
  /** Whether new requests and connections had stopped by then. */
  readonly newTrafficStopped: boolean;
  /** How often somebody else registered it again. */
  readonly cameBack: number;
  /** Whether this drain has deregistered it, and not somebody else: `cancel` registers it again. Absent: `false`. */
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
  /** Whoever asked can be told no, and was: nothing was deregistered. */
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
  /** Somebody has cancelled the drain: what it had deregistered is being registered again. */
  | (Ended & { readonly status: "cancelled"; readonly registrations: readonly RegistrationFate[] })
  /** The instance is terminated: there was nothing left to do. */
  | { readonly status: "instance-gone"; readonly message: string }
  /** The program was told to stop. Deregistrations already made stay made. */
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
