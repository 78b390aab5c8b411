import { asDrainError, type DrainError } from "./errors.ts";
import { LimitPassed } from "./limit.ts";
import type { DrainOutcome } from "./outcome.ts";

/** The outcome where there is no drain yet: the node was not found, or the program is stopping. */
export function endBefore(error: unknown, trouble: DrainError | undefined, signal: AbortSignal): DrainOutcome {
  if (error instanceof LimitPassed) {
    const why = trouble === undefined ? {} : { error: trouble };
    return { status: "deadline-passed", limit: error.limit, searched: false, ...why, registrations: [] };
  }
  if (signal.aborted) return { status: "abandoned", registrations: [] };
  const failure = asDrainError(error);
  if (failure.code === "instance-gone") return { status: "instance-gone", message: failure.message };
  return { status: "failed", error: failure, registrations: [] };
}
