import type { Node, Registration } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { Standing } from "./guard.ts";
import type { DrainOutcome } from "./outcome.ts";
import type { DrainPlan } from "./plan.ts";
import type { AskedRequest, Asker } from "./request.ts";
import type { UndoOutcome } from "./undo.ts";

/** What happens to one registration, in a drain and in its undo. Moments are milliseconds since the epoch. */
export type RegistrationStep = { readonly registration: Registration } & (
  | {
      readonly type: "deregistered";
      /** When the hold is expected to end. Absent while that is not known. */
      readonly holdUntil?: number;
      /** Another program, or an earlier process, had deregistered it before. */
      readonly foundDraining: boolean;
      /** Held since then, where that is not now: an earlier process knew. */
      readonly since?: number;
      /** See `HoldProgress`. */
      readonly isEarlier?: true;
    }
  /**
   * The guard of an involuntary drain. `waiting`: for a replacement, because too few healthy targets would stay. Then one
   * of: `waited`: enough would stay now. `overridden`: time was up. `kept`: time was up, none would stay, and so it stays.
   */
  | {
      readonly type: "guarded";
      readonly verdict: "waiting" | "waited" | "overridden" | "kept";
      /** Absent if target health could not be read. */
      readonly standing?: Standing;
    }
  /** `back`: another program registered it again. `ignored`: the call was acknowledged and did nothing. */
  | { readonly type: "deregistering-again"; readonly because: "back" | "ignored" }
  /** Both will be tried again. */
  | { readonly type: "deregister-failed" | "poll-failed"; readonly error: DrainError }
  | { readonly type: "released"; readonly heldMs: number }
  | { readonly type: "failed"; readonly error: DrainError }
  /** Registered again by the undo, and seen so. */
  | { readonly type: "registered" }
  | { readonly type: "register-failed"; readonly error: DrainError }
);

/** Whether the cluster's controllers know that the node is to stay out of load balancers. */
export type ExclusionStep =
  /** `name`: of the Node object. Absent: the cluster has none for this machine. */
  | { readonly type: "excluded" | "included"; readonly name?: string }
  /** Health checks that ask its kube-proxy fail, or succeed again. `name` as above. */
  | { readonly type: "tainted" | "untainted"; readonly name?: string }
  /** It is tried again beside the drain. Reported when the reason changes. */
  | {
      readonly type: "exclude-failed" | "include-failed" | "taint-failed" | "untaint-failed";
      readonly error: DrainError;
    };

/** Pods are named as kubectl names them in all namespaces: `namespace/name`. */
export type EvictionStep =
  /** The node is cordoned, and these pods are asked to go. */
  | { readonly type: "evicting"; readonly pods: readonly string[] }
  /** They are gone. */
  | { readonly type: "evicted"; readonly pods: readonly string[] }
  /** Reported again when the reason changes. `budget`: the disruption budget that does not allow it now. */
  | {
      readonly type: "eviction-refused";
      readonly pod: string;
      readonly budget?: string;
      readonly willRetry: boolean;
      readonly error: DrainError;
    }
  /** The cluster can't be asked: it is tried again, unless the drain ends with it. Reported when the reason changes. */
  | { readonly type: "evict-failed"; readonly error: DrainError };

/** Everything that changes a drain or one of its registrations: written into the ledger, and told to those who watch. */
export type Step =
  /** A drain has begun; the first step of each. */
  | { readonly type: "accepted"; readonly node: Node; readonly request: AskedRequest }
  /** Another request for the same node is answered by this drain. */
  | { readonly type: "joined"; readonly request: AskedRequest }
  /** An earlier process had begun it. */
  | { readonly type: "resumed" }
  /** Registered so before anything was done about it. `elsewhere`: see `FoundRegistrations`. */
  | {
      readonly type: "found";
      readonly registrations: readonly Registration[];
      readonly elsewhere: readonly Registration[];
    }
  /** Every pool has been asked. Registrations that were found before are on their way out already, but in a dry run. */
  | { readonly type: "planned"; readonly plan: DrainPlan; readonly dryRun?: true }
  | ExclusionStep
  | EvictionStep
  | RegistrationStep
  | {
      readonly type: "ended";
      readonly outcome: DrainOutcome;
      readonly tookMs: number;
      /** The earliest of all requests, in milliseconds since the epoch. Absent: no request had one. */
      readonly deadline?: number;
    }
  /** Before or after the drain's end. Its undo begins once the drain has ended. */
  | { readonly type: "cancelled"; readonly asker?: Asker }
  /** All that can be undone is. */
  | { readonly type: "undone"; readonly outcome: UndoOutcome };

/** The step, or the form that one has elsewhere, of this type. */
export type OfType<S, T> = S extends { readonly type: infer Own }
  ? T extends Own
    ? S & { readonly type: T }
    : never
  : never;
