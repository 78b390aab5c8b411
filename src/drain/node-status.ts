import type { FoundRegistrations, Node } from "./cloud-provider.ts";
import type { RegistrationFate } from "./outcome.ts";
import type { DrainLimit } from "./plan.ts";

/** A drain that has not ended. */
export interface RunningDrain {
  readonly drainId: string;
  /** When the first request for it came, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** Why, in the callers' words. */
  readonly reasons: readonly string[];
  /** When it ends even if traffic has not. Absent while its plan is still being made and nobody set a limit. */
  readonly limit?: DrainLimit;
  /** How each registration stands. Empty while they are being looked for. */
  readonly registrations: readonly RegistrationFate[];
}

/** Where a node is registered now, and the drain that runs for it, if any. */
export interface NodeStatus extends FoundRegistrations {
  readonly node: Node;
  /** It was so then, and may have changed since, in milliseconds since the epoch. */
  readonly asOf: number;
  readonly drain?: RunningDrain;
}
