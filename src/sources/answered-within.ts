import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";

/** Does `work`, which calls AWS, in `ms` milliseconds and before `signal` aborts, or throws `unreachable`. */
export async function answeredWithin(
  ms: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    await withLimit({ clock, limit: { reason: "timeout", at: clock.now() + ms }, signal }, work);
  } catch (error) {
    if (error instanceof LimitPassed || signal.aborted)
      throw new DrainError("unreachable", `AWS did not answer within ${ms / 1_000} s`);
    throw error;
  }
}
