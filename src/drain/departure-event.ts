import type { DrainError } from "./errors.ts";
import type { Standing } from "./guard.ts";

/** What happens to one registration on its way out. */
export type DepartureEvent =
  | {
      readonly type: "deregistered";
      readonly holdUntil?: number;
      readonly foundDraining: boolean;
      readonly heldSince?: number;
    }
  | {
      readonly type: "guarded";
      readonly verdict: "waiting" | "waited" | "overridden" | "kept";
      readonly standing?: Standing;
    }
  | { readonly type: "deregistering-again"; readonly because: "back" | "ignored" }
  | { readonly type: "deregister-failed" | "look-failed"; readonly error: DrainError }
  | { readonly type: "released"; readonly heldMs: number }
  | { readonly type: "failed"; readonly error: DrainError };
