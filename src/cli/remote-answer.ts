import type { DrainErrorCode } from "../drain/errors.ts";
import type { OutcomeReport } from "../drain/report.ts";
import { EXIT, exitCodeOf, exitCodeOfFailure } from "./exit-codes.ts";
import { RemoteError } from "./failure.ts";

export interface RemoteAnswer {
  readonly status: number;
  /** How long the service asks to wait. */
  readonly retryAfterMs?: number;
  /** An object whose fields are not validated. */
  readonly body: Readonly<Record<string, unknown>>;
}

interface Problem {
  readonly detail?: string;
  readonly code?: DrainErrorCode;
  readonly outcome?: OutcomeReport;
}

const STATUSES: ReadonlySet<unknown> = new Set<OutcomeReport["status"]>([
  "drained",
  "nothing-registered",
  "possibly-registered",
  "refused",
  "planned",
  "instance-gone",
  "deadline-passed",
  "abandoned",
  "cancelled",
  "superseded",
  "failed",
]);
export const NOT_OURS = new RemoteError("the answer is not one of hasta-la-vista: check --server", EXIT.usage);

/** The meaning of a service's answer. */
export interface Understood {
  readonly exitCode: number;
  /** The outcome of the drain, if there was one. */
  readonly outcome?: OutcomeReport;
  /** Why it failed, for programs. Absent if there is no such failure. */
  readonly code?: DrainErrorCode;
  /** For people. Absent if the outcome says everything. */
  readonly problem?: string;
}

/** Reads an error of the service, or the outcome of a drain. The exit codes are the same as without a service. */
export function understand({ status, body }: RemoteAnswer): Understood {
  if (status === 200) return { exitCode: exitCodeOf(checked(body)), outcome: checked(body) };
  const { detail, code, outcome } = body as Problem;
  if (outcome !== undefined) return { exitCode: exitCodeOf(checked(outcome)), outcome };
  if (typeof detail !== "string") throw NOT_OURS;
  const problem = `the service answered ${status}: ${detail}`;
  if (code !== undefined) return { exitCode: exitCodeOfFailure(code), problem: `${problem} (${code})`, code };
  return { exitCode: status >= 500 ? EXIT.notDrained : EXIT.usage, problem };
}

/** An answer without an outcome that is not the expected one. */
export function refusalOf(answer: RemoteAnswer): RemoteError {
  const { exitCode, problem } = understand(answer);
  if (problem === undefined) return NOT_OURS;
  return new RemoteError(problem, exitCode, { isPassing: answer.status >= 500 });
}

function checked(outcome: object): OutcomeReport {
  if (!STATUSES.has((outcome as Partial<OutcomeReport>).status)) throw NOT_OURS;
  return outcome as OutcomeReport;
}
