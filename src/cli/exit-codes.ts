import { type DrainErrorCode, isRefusal } from "../drain/errors.ts";
import type { OutcomeReport, PlanReport } from "../drain/report.ts";

export const EXIT = { done: 0, notDrained: 1, usage: 2, refused: 3 } as const;

export function exitCodeOf(outcome: OutcomeReport): number {
  switch (outcome.status) {
    case "drained":
    case "nothing-registered":
    case "instance-gone":
      return EXIT.done;
    case "planned":
      return exitCodeOfPlan(outcome.plan);
    case "refused":
      return EXIT.refused;
    case "possibly-registered":
    case "deadline-passed":
    case "abandoned":
    case "superseded":
    case "cancelled":
      return EXIT.notDrained;
    case "failed":
      return exitCodeOfFailure(outcome.error.code);
    default:
      return outcome satisfies never;
  }
}

/** The exit code of a drain, as far as its plan shows it: refused, or not drained in time, or not at all. */
export function exitCodeOfPlan({ guard, registrations, elsewhere }: PlanReport): number {
  if (guard?.refusal !== undefined) return EXIT.refused;
  const isShort = registrations.some(({ writable, shortBySeconds }) => !writable || shortBySeconds > 0);
  const isDoubtful = elsewhere.some(({ doubt }) => doubt !== undefined);
  return isShort || isDoubtful ? EXIT.notDrained : EXIT.done;
}

/** For several drains, 0 only if all are done. */
export function exitCodeOfAll(codes: readonly number[]): number {
  const [first = EXIT.done] = codes;
  return codes.every((code) => code === first) ? first : EXIT.notDrained;
}

/** Absent: everything is registered again. */
export function exitCodeOfUndo(failure: DrainErrorCode | undefined): number {
  if (failure === undefined) return EXIT.done;
  const code = exitCodeOfFailure(failure);
  // The machine is gone, so nothing of it is registered.
  return code === EXIT.done ? EXIT.notDrained : code;
}

export function exitCodeOfFailure(code: DrainErrorCode): number {
  if (code === "instance-gone") return EXIT.done;
  if (isRefusal(code)) return EXIT.refused;
  return code === "no-region" || code === "no-credentials" ? EXIT.usage : EXIT.notDrained;
}
