import type { Registration } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { EvictionEvent } from "./eviction.ts";
import type { ExclusionEvent } from "./exclusion.ts";
import type { Standing } from "./guard.ts";
import type { EarlyEnd } from "./hold.ts";
import type { DrainOutcome } from "./outcome.ts";
import type { DrainPlan } from "./plan.ts";
import type { UndoneNode, UndoOutcome } from "./undo.ts";
import type { Purpose } from "./urgency.ts";

/** What happens in a drain, for those who watch: logs, progress. Nothing in a drain depends on who listens. */
export type DrainEvent = { readonly drainId: string; readonly node: UndoneNode } & (
  | { readonly type: "started"; readonly reason?: string; readonly forced?: true }
  /** An earlier process had begun it. */
  | { readonly type: "resumed" }
  /** Every pool has been asked. Registrations that were found before are on their way out already, but in a dry run. */
  | { readonly type: "planned"; readonly plan: DrainPlan; readonly dryRun?: true }
  /** Another request for the same node is answered by this drain. */
  | { readonly type: "joined"; readonly reason?: string; readonly forced?: true }
  /** Of the cluster: whether its controllers know that the node is to stay out of load balancers. */
  | ExclusionEvent
  /** Of its pods. */
  | EvictionEvent
  | {
      readonly type: "deregistered";
      readonly registration: Registration;
      /** When the hold is expected to end, in milliseconds since the epoch. Absent while that is not known. */
      readonly holdUntil?: number;
      /** Another program, or an earlier process, had deregistered it before. */
      readonly foundDraining: boolean;
      /** Held since then, in milliseconds since the epoch: an earlier process knew. */
      readonly heldSince?: number;
    }
  /**
   * The guard of an involuntary drain. `waiting`: for a replacement, because too few healthy targets would stay. Then one
   * of: `waited`: enough would stay now. `overridden`: time was up. `kept`: time was up, none would stay, and so it stays.
   */
  | {
      readonly type: "guarded";
      readonly registration: Registration;
      readonly verdict: "waiting" | "waited" | "overridden" | "kept";
      /** Absent if target health could not be read. */
      readonly standing?: Standing;
    }
  /** `back`: another program registered it again. `ignored`: the call was acknowledged and did nothing. */
  | { readonly type: "deregistering-again"; readonly registration: Registration; readonly because: "back" | "ignored" }
  /** What the drain must know before it deregisters, or before it may, could not be read. It is read again. */
  | { readonly type: "read-failed"; readonly what: "registrations" | "health"; readonly error: DrainError }
  /** Both will be tried again. */
  | {
      readonly type: "deregister-failed" | "poll-failed";
      readonly registration: Registration;
      readonly error: DrainError;
    }
  | ({ readonly type: "released"; readonly registration: Registration; readonly heldMs: number } & EarlyEnd)
  | { readonly type: "failed"; readonly registration: Registration; readonly error: DrainError }
  /** Nothing is held any more that is listed. What an earlier try has deregistered may get traffic until then. */
  | { readonly type: "awaiting-earlier-try"; readonly until: number }
  | {
      readonly type: "ended";
      readonly outcome: DrainOutcome;
      readonly tookMs: number;
      /** The earliest of all requests, in milliseconds since the epoch. Absent: no request had one. */
      readonly deadline?: number;
    }
  /** What the drain has done is being undone, from now on. */
  | { readonly type: "cancelled" }
  /** Registered again, and seen so. */
  | { readonly type: "registered"; readonly registration: Registration }
  | { readonly type: "register-failed"; readonly registration: Registration; readonly error: DrainError }
  | { readonly type: "undone"; readonly outcome: UndoOutcome }
);

export type DrainObserver = (event: DrainEvent) => void;

export function notify<T>(observers: readonly ((event: T) => void)[] = [], event: T): void {
  for (const observe of observers) {
    try {
      observe(event);
    } catch {
      // An observer must not stop a drain.
    }
  }
}

/** One attempt to call the cloud. */
export interface CloudCall {
  readonly purpose: Purpose;
  /** As its permissions name it: `elasticloadbalancing:DescribeTargetHealth`. */
  readonly action: string;
  /** `ok`, or the cloud's code for the error. */
  readonly result: string;
  readonly throttled: boolean;
  /** Where it went, as a pool's. */
  readonly place?: string;
}
