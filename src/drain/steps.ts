import type { Node, Registration } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { Standing } from "./guard.ts";
import type { NotEarly } from "./hold.ts";
import type { DrainOutcome, UndoOutcome } from "./outcome.ts";
import type { DrainPlan } from "./plan.ts";
import type { AskedRequest, Asker } from "./request.ts";

/** What happens to one registration, in a drain and in its undo. Times are milliseconds since the epoch. */
export type RegistrationStep = { readonly registration: Registration } & (
  | {
      readonly type: "deregistered";
      /** When the hold is expected to end. Absent: not known yet. */
      readonly holdUntil?: number;
      /** Another program, or an earlier process, had deregistered the target before. */
      readonly foundDraining: boolean;
      /** The hold counts from this moment instead of from now, because an earlier process knew it. */
      readonly since?: number;
      /** See `HoldProgress`. */
      readonly isEarlier?: true;
    }
  /**
   * The guard of an involuntary drain. `waiting`: too few healthy targets would remain, so it waits for a replacement.
   * It is followed by one of these: `waited`: enough would remain now. `overridden`: the time was up. `kept`: the time
   * was up and no healthy target would remain, so the target stays registered.
   */
  | {
      readonly type: "guarded";
      readonly verdict: "waiting" | "waited" | "overridden" | "kept";
      /** Absent: target health could not be read. */
      readonly standing?: Standing;
    }
  /** `back`: another program registered the target again. `ignored`: the cloud acknowledged the call, and did nothing. */
  | { readonly type: "deregistering-again"; readonly because: "back" | "ignored" }
  /** Both are retried. */
  | { readonly type: "deregister-failed" | "poll-failed"; readonly error: DrainError }
  | {
      readonly type: "released";
      readonly heldMs: number;
      /** The hold ended early: for how long there had been no connection on the node, in milliseconds. */
      readonly idleMs?: number;
      /** Why the hold did not end early. Both absent: no agent has reported. */
      readonly notEarly?: NotEarly;
    }
  | { readonly type: "failed"; readonly error: DrainError }
  /** The undo registered the target again, and its pool was seen to list it. */
  | { readonly type: "registered" }
  | { readonly type: "register-failed"; readonly error: DrainError }
);

/** Whether the cluster's controllers know that the node must stay out of load balancers. */
export type ExclusionStep =
  /** `name`: of the Node object. Absent: the cluster has no Node object for this machine. */
  | { readonly type: "excluded" | "included"; readonly name?: string }
  /** The taint by which the health checks of the node's kube-proxy fail. `name` as above. */
  | { readonly type: "tainted" | "untainted"; readonly name?: string }
  /** It is retried beside the drain. Reported again when the reason changes. */
  | {
      readonly type: "exclude-failed" | "include-failed" | "taint-failed" | "untaint-failed";
      readonly error: DrainError;
    };

/** Pods are named as kubectl names them in all namespaces: `namespace/name`. */
export type EvictionStep =
  /** The node is cordoned, and these pods are being evicted. */
  | { readonly type: "evicting"; readonly pods: readonly string[] }
  /** These pods are gone. */
  | { readonly type: "evicted"; readonly pods: readonly string[] }
  /** Reported again when the reason changes. `budget`: the disruption budget that does not allow the eviction now. */
  | {
      readonly type: "eviction-refused";
      readonly pod: string;
      readonly budget?: string;
      readonly willRetry: boolean;
      readonly error: DrainError;
    }
  /**
   * The API server can't be asked. It is retried, unless the drain ends before. Reported again when the reason changes.
   */
  | { readonly type: "evict-failed"; readonly error: DrainError };

/**
 * Everything that changes a drain or one of its registrations. It is written to the ledger, and passed to the
 * observers.
 */
export type Step =
  /** A drain has begun. This is the first step of each drain. */
  | { readonly type: "accepted"; readonly node: Node; readonly request: AskedRequest }
  /** Another request for the same node is answered by this drain. */
  | { readonly type: "joined"; readonly request: AskedRequest }
  /** An earlier process had begun it. */
  | { readonly type: "resumed" }
  /** Written as found, before anything was done about it. `elsewhere`: see `FoundRegistrations`. */
  | {
      readonly type: "found";
      readonly registrations: readonly Registration[];
      readonly elsewhere: readonly Registration[];
    }
  /** Every pool was read. Registrations that were found before are being deregistered already, except in a dry run. */
  | { readonly type: "planned"; readonly plan: DrainPlan; readonly dryRun?: true }
  | ExclusionStep
  | EvictionStep
  | RegistrationStep
  | {
      readonly type: "ended";
      readonly outcome: DrainOutcome;
      readonly tookMs: number;
      /** The earliest deadline of all requests, in milliseconds since the epoch. Absent: no request had a deadline. */
      readonly deadline?: number;
    }
  /** May come before or after the end of the drain. The undo begins when the drain has ended. */
  | { readonly type: "cancelled"; readonly asker?: Asker }
  /** Everything that can be undone is undone. */
  | { readonly type: "undone"; readonly outcome: UndoOutcome };

/** The step of this type, or the form that it has elsewhere. */
export type OfType<S, T> = S extends { readonly type: infer Own }
  ? T extends Own
    ? S & { readonly type: T }
    : never
  : never;
