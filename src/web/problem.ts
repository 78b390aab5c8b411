import type { DrainErrorCode } from "../drain/errors.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import { outcomeReport } from "../drain/report.ts";

/** Seconds after which a refused caller may try again: another replica may have taken over by then. */
const RETRY_AFTER_SECONDS = "5";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

/** An error as RFC 9457 has it. `more` says what was done all the same. */
export function problem(
  status: number,
  detail: string,
  { headers = {}, more = {} }: { readonly headers?: Readonly<Record<string, string>>; readonly more?: object } = {},
): Answer {
  return {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
    body: { type: "about:blank", title: TITLES[status] ?? "Error", status, detail, ...more },
  };
}

export function stopping(detail: string, more?: object): Answer {
  return problem(503, detail, {
    headers: { "retry-after": RETRY_AFTER_SECONDS },
    ...(more === undefined ? {} : { more }),
  });
}

/** How an outcome is told to an HTTP caller. Only 200 means that the node can go. */
export function answerOf(outcome: DrainOutcome): Answer {
  const report = { outcome: outcomeReport(outcome) };
  switch (outcome.status) {
    case "drained":
    case "nothing-registered":
    case "planned":
    case "instance-gone":
      return { status: 200, headers: { "content-type": "application/json" }, body: report.outcome };
    case "deadline-passed":
      return problem(504, `the ${outcome.limit.reason} came before traffic had ended`, { more: report });
    case "abandoned":
      return stopping("the service stopped before traffic had ended; what was deregistered stays deregistered", report);
    case "failed":
      return problem(statusOf(outcome.error.code), outcome.error.message, {
        more: { code: outcome.error.code, ...report },
      });
    default:
      return outcome satisfies never;
  }
}

function statusOf(code: DrainErrorCode): number {
  switch (code) {
    case "node-not-found":
    case "instance-gone":
    case "other-cluster":
      return 404;
    case "ambiguous-node":
      return 409;
    case "access-denied":
    case "no-credentials":
    case "no-region":
    case "unreachable":
    case "throttled":
    case "cloud-error":
    case "registered-again":
      return 502;
    case "internal":
      return 500;
    default:
      return code satisfies never;
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "No secret",
  403: "Wrong secret",
  404: "Not found",
  405: "Method not allowed",
  408: "Request too slow",
  409: "Ambiguous",
  413: "Body too large",
  431: "Headers too large",
  500: "Internal error",
  502: "AWS failed",
  503: "Stopping",
  504: "Not drained in time",
};
