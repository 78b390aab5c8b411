import type { AccessProblem, DrainError, DrainErrorCode } from "../drain/errors.ts";
import type { AcceptedDrain } from "../drain/event-source.ts";
import type { DrainOutcome, NodeStatus } from "../drain/outcome.ts";
import { acceptedReport, nodeStatusReport, outcomeReport, undoReport } from "../drain/report.ts";
import { type UndoOutcome, undoFailure } from "../drain/undo.ts";
import type { Unrecorded } from "./http-source.ts";
import { type Answer, problem, unavailable } from "./problem.ts";
import type { ReadyState } from "./readiness.ts";

/** How an outcome is told to an HTTP caller. Only 200 means that the node can go. */
export function outcomeAnswer(outcome: DrainOutcome): Answer {
  const report = outcomeReport(outcome);
  switch (outcome.status) {
    case "drained":
    case "nothing-registered":
    case "planned":
    case "instance-gone":
      return json(200, report);
    case "refused":
      return problem(409, outcome.refusal.message, { more: { code: "refused", outcome: report } });
    case "deadline-passed":
      return problem(504, `the ${outcome.limit.reason} came before ${missed(outcome)}`, { more: { outcome: report } });
    case "cancelled": {
      const detail =
        "somebody has cancelled the drain: what it had deregistered is being registered again, and the node can't go";
      return problem(409, detail, { more: { outcome: report } });
    }
    case "superseded":
      return problem(409, outcome.message, { more: { code: "superseded", outcome: report } });
    case "abandoned": {
      const detail = "the service stopped before traffic had ended; what was deregistered stays deregistered";
      return unavailable(detail, { outcome: report });
    }
    case "failed":
      return failureAnswer(outcome.error, { outcome: report });
    default:
      return outcome satisfies never;
  }
}

/** To whoever doesn't wait for the outcome. */
export function acceptedAnswer(drain: AcceptedDrain): Answer {
  return json(202, acceptedReport(drain), { location: `/drains/${drain.id}` });
}

/** To whoever does not wait, and would have to rely on a drain that does not outlive the service. */
export function unrecordedAnswer({ drain, message }: Unrecorded): Answer {
  const { drainId, node } = acceptedReport(drain);
  const detail = `the drain ${drainId} has begun, but would be forgotten if the service died: ${message}. Wait for it, or ask again`;
  return unavailable(detail, { code: "ledger-unavailable" satisfies DrainErrorCode, drainId, node });
}

/** To whoever cancels a drain. Only 200 means that all is registered again. */
export function undoAnswer(outcome: UndoOutcome): Answer {
  const report = undoReport(outcome);
  const error = undoFailure(outcome);
  return error === undefined ? json(200, report) : failureAnswer(error, { undo: report });
}

export function nodeStatusAnswer(status: NodeStatus): Answer {
  return json(200, nodeStatusReport(status));
}

export function failureAnswer({ code, message }: DrainError, more: object = {}): Answer {
  const status = statusOf(code);
  if (status === 503) return unavailable(message, { code, ...more });
  return problem(status, message, { more: { code, ...more } });
}

/** Answers anybody, and so gives nothing away of the account: what AWS said in its own words stands in the log. */
export function readyAnswer(state: ReadyState): Answer {
  switch (state.status) {
    case "ready":
      return json(200, { status: "ready", checkedAt: new Date(state.checkedAt).toISOString() });
    case "checking":
      return unavailable("the first check of what AWS allows has not ended", { reason: "checking" });
    case "stopping":
      return unavailable("the service is stopping", { reason: "stopping" });
    case "not-ready": {
      const checkedAt = new Date(state.checkedAt).toISOString();
      return unavailable(accessDetail(state.problems), { reason: state.problems[0]?.error.code, checkedAt });
    }
    default:
      return state satisfies never;
  }
}

function accessDetail(problems: readonly AccessProblem[]): string {
  const [first] = problems;
  const actions = problems.map(({ action }) => action).join(", ");
  switch (first?.error.code) {
    case "access-denied":
      return `AWS denies ${actions}: allow it in the IAM policy`;
    case "no-credentials":
      return "the service has no valid AWS credentials: its log says where it looked";
    case "no-region":
      return "the service has no AWS region: set AWS_REGION, or --region";
    case "unreachable":
      return "the service can't reach AWS: check AWS_REGION, AWS_ENDPOINT_URL and the network";
    default:
      return `${actions || "the check"} failed: the service's log says why`;
  }
}

function json(status: number, body: object, headers: Answer["headers"] = {}): Answer {
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}

function missed({ searched, error }: Extract<DrainOutcome, { status: "deadline-passed" }>): string {
  const what = searched ? "traffic had ended" : "it was known where else the node is registered";
  return error === undefined ? what : `${what}: ${error.message}`;
}

function statusOf(code: DrainErrorCode): number {
  switch (code) {
    case "node-not-found":
    case "instance-gone":
    case "other-cluster":
    case "drain-not-found":
      return 404;
    case "ambiguous-node":
    case "undo-disabled":
    case "another-drain":
      return 409;
    case "access-denied":
    case "no-credentials":
    case "no-region":
    case "unreachable":
    case "throttled":
    case "unavailable":
    case "cloud-error":
    case "registered-again":
    case "not-registered":
      return 502;
    case "ledger-unavailable":
      return 503;
    case "internal":
      return 500;
    default:
      return code satisfies never;
  }
}
