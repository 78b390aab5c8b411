import type { DrainError } from "../drain/errors.ts";
import type { DrainOutcome } from "../drain/outcome.ts";

export const EXIT = { done: 0, notDrained: 1, usage: 2, refused: 3 } as const;

export function exitCodeOf(outcome: DrainOutcome): number {
  switch (outcome.status) {
    case "drained":
    case "nothing-registered":
    case "planned":
    case "instance-gone":
      return EXIT.done;
    case "deadline-passed":
    case "abandoned":
      return EXIT.notDrained;
    case "failed":
      return exitCodeOfError(outcome.error);
    default:
      return outcome satisfies never;
  }
}

export function exitCodeOfError(error: DrainError): number {
  if (error.code === "instance-gone") return EXIT.done;
  if (error.isRefusal) return EXIT.refused;
  return error.code === "no-region" || error.code === "no-credentials" ? EXIT.usage : EXIT.notDrained;
}
