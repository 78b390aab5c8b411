import type { AccessProblem, DrainError, DrainErrorCode } from "../drain/errors.ts";
import type { AcceptedDrain } from "../drain/event-source.ts";
import { type NodeUndo, nodeUndoFailure } from "../drain/node-undo.ts";
import type { DrainOutcome, NodeStatus } from "../drain/outcome.ts";
import { possiblyRegisteredText } from "../drain/plan.ts";
import { nodeUndoReport } from "../drain/record-report.ts";
import { acceptedReport, nodeStatusReport, outcomeReport, undoReport } from "../drain/report.ts";
import { type UndoOutcome, undoFailure } from "../drain/undo.ts";
import type { Unrecorded } from "./http-source.ts";
import { type Answer, problem, unavailable } from "./problem.ts";
import type { ReadyState } from "./readiness.ts";

/** The HTTP answer for an outcome. Only 200 means that the node can be terminated. */
export function outcomeAnswer(outcome: DrainOutcome): Answer {
  const report = outcomeReport(outcome);
  switch (outcome.status) {
    case "drained":
    case "nothing-registered":
    case "planned":
    case "instance-gone":
      return json(200, report);
    case "possibly-registered":
      return problem(409, possiblyRegisteredText(outcome.elsewhere), {
        more: { code: "possibly-registered", outcome: report },
      });
    case "refused":
      return problem(409, outcome.refusal.message, { more: { code: outcome.refusal.reason, outcome: report } });
    case "deadline-passed":
      return problem(504, `the ${outcome.limit.reason} came before ${missed(outcome)}`, { more: { outcome: report } });
    case "cancelled": {
      const detail =
        "the drain was cancelled: its targets are being registered again, so the node must not be terminated";
      return problem(409, detail, { more: { outcome: report } });
    }
    case "superseded":
      return problem(409, outcome.message, { more: { code: "superseded", outcome: report } });
    case "abandoned": {
      const detail =
        "the service stopped before traffic had ended: targets that were deregistered stay deregistered. Request the drain again";
      return unavailable(detail, { outcome: report });
    }
    case "failed":
      return failureAnswer(outcome.error, { outcome: report });
    default:
      return outcome satisfies never;
  }
}

/** The answer to a caller that does not wait for the outcome. */
export function acceptedAnswer(drain: AcceptedDrain, hasBegun: boolean): Answer {
  return json(202, acceptedReport(drain, hasBegun), { location: `/drains/${drain.id}` });
}

/** The answer to a caller that does not wait, if its drain would be lost with the service. */
export function unrecordedAnswer({ drain, message }: Unrecorded): Answer {
  const { drainId, node } = acceptedReport(drain);
  const detail = `the drain ${drainId} has begun, but would be lost if the service stopped: ${message}. Wait for its end, or request it again`;
  return unavailable(detail, { code: "ledger-unavailable" satisfies DrainErrorCode, drainId, node });
}

/** The answer to a cancellation. Only 200 means that everything is registered again. */
export function undoAnswer(outcome: UndoOutcome): Answer {
  const report = undoReport(outcome);
  const error = undoFailure(outcome);
  return error === undefined ? json(200, report) : failureAnswer(error, { undo: report });
}

/** The same for a node. */
export function nodeUndoAnswer(undo: NodeUndo): Answer {
  const report = nodeUndoReport(undo);
  const error = nodeUndoFailure(undo);
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

/** The answer needs no secret, so it reveals nothing about the account. What AWS answered is in the log. */
export function readyAnswer(state: ReadyState): Answer {
  switch (state.status) {
    case "ready": {
      const { leader } = state;
      const checkedAt = new Date(state.checkedAt).toISOString();
      return json(200, { status: "ready", checkedAt, ...(leader !== undefined && { leader }) });
    }
    case "checking":
      return unavailable("the first check of AWS access, or the first read of the queue, is still running", {
        reason: "checking",
      });
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
      return "the service has no valid AWS credentials: give its pod or instance a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID";
    case "no-region":
      return "the service has no AWS region: set AWS_REGION, or --region";
    case "unreachable":
      return "the service can't reach AWS: check AWS_REGION, AWS_ENDPOINT_URL and the network";
    case "not-leader":
      return "no replica that leads can be reached: the log of the replica has the error";
    case "ledger-unavailable":
      return "the ledger in STATE_DIR was removed, replaced or changed by another program: the log of the service has the error";
    default:
      return `${actions || "the check"} failed: the log of the service has the error`;
  }
}

function json(status: number, body: object, headers: Answer["headers"] = {}): Answer {
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}

function missed({
  searched,
  error,
  eviction,
  registrations,
}: Extract<DrainOutcome, { status: "deadline-passed" }>): string {
  const isQuiet = registrations.every(({ state }) => state === "released") && (eviction?.remaining ?? []).length > 0;
  const ended = isQuiet ? "all pods had been evicted" : "traffic had ended";
  const what = searched ? ended : "all load balancers had been searched";
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
    case "machine-leaves":
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
    case "not-evicted":
      return 502;
    case "ledger-unavailable":
    case "not-leader":
      return 503;
    case "internal":
      return 500;
    default:
      return code satisfies never;
  }
}
