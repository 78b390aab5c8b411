import { DrainError, type DrainErrorCode, printable } from "../drain/errors.ts";

/** Reasons of failures that do not come from the API server. They have the status 0. */
export type LocalReason =
  /** The option, the kubeconfig or a file that it names can't be used. */
  | "Configuration"
  /** The credentials could not be read or obtained: a token file is gone, or an exec plug-in failed. */
  | "Credentials"
  /** There is no connection: refused, reset, unknown host, or TLS failed. */
  | "Unreachable"
  /** There was no complete answer in time. */
  | "Timeout"
  /** The answer is not what an API server sends. */
  | "Unreadable"
  /** The answer is larger than the limit for it. */
  | "TooLarge";

interface ErrorFields {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs?: number | undefined;
  readonly causes?: readonly StatusCause[];
  readonly cause?: unknown;
}

/** One detail of a `Status`. For an eviction, `reason` names the budget that refuses it. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** A failed request to the API server. The message never contains a token, a header or the content of a file. */
export class KubernetesError extends Error {
  /** The HTTP status. 0 if there was no answer. */
  readonly status: number;
  /**
   * `Status.reason`, such as `NotFound`, `Conflict`, `Forbidden`, `Expired`, or a `LocalReason`. Empty if the server
   * states none. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
   */
  readonly reason: string;
  /** How long the server asks to wait before the next attempt, in milliseconds. Absent: it does not say. */
  readonly retryAfterMs: number | undefined;
  readonly causes: readonly StatusCause[];

  constructor(message: string, { status, reason, retryAfterMs, causes = [], cause }: ErrorFields) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "KubernetesError";
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.causes = causes;
  }

  /** Whether the same request may succeed a moment later. */
  get isPassing(): boolean {
    return this.status === 0 ? PASSING_REASONS.has(this.reason) : PASSING_STATUS.has(this.status);
  }

  /** Whether the resource version or the continue token is too old, so that the collection must be listed again. */
  get isExpired(): boolean {
    return this.status === 410;
  }
}

const PASSING_REASONS: ReadonlySet<string> = new Set(["Unreachable", "Timeout", "Unreadable"] satisfies LocalReason[]);
const PASSING_STATUS: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/** A failure on this side of the connection. */
export function localError(reason: LocalReason, message: string, cause?: unknown): KubernetesError {
  return new KubernetesError(message, { status: 0, reason, ...(cause === undefined ? {} : { cause }) });
}

/** What the API server sends instead of an object. None of it is trusted. */
interface Status {
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown; readonly causes?: unknown };
}

/** A server's text may name a user, a resource and a webhook. */
const MESSAGE_LENGTH_MAX = 500;
const CAUSES_MAX = 10;
/** A longer wait than this is ignored. */
const RETRY_AFTER_MAX_MS = 600_000;

/**
 * The error of a `Status` object. `what` is the request, such as `PATCH /api/v1/nodes/a`. `httpStatus` counts if the
 * object has no code.
 */
export function statusError(
  what: string,
  httpStatus: number,
  body: unknown,
  retryAfterSeconds: string | undefined,
): KubernetesError {
  const given: Status = typeof body === "object" && body !== null ? body : {};
  const status = typeof given.code === "number" ? given.code : httpStatus;
  const reason = typeof given.reason === "string" ? printable(given.reason) : "";
  const text = typeof given.message === "string" ? printable(given.message, MESSAGE_LENGTH_MAX) : "";
  const named = `${status}${reason === "" ? "" : ` ${reason}`}`;
  const advice = NO_MATTER_OF_ROLES.test(text) ? "" : adviceFor(status, what);
  const message = `${what}: the API server answered ${named}${text === "" ? "" : `: ${text}`}${advice === "" ? "" : `. ${advice}`}`;
  return new KubernetesError(message, {
    status,
    reason,
    retryAfterMs: retryAfter(retryAfterSeconds ?? given.details?.retryAfterSeconds),
    causes: causesIn(given.details?.causes),
  });
}

/**
 * Refusals with 403 that have nothing to do with roles: an exhausted ResourceQuota, and a namespace that is being
 * deleted.
 */
const NO_MATTER_OF_ROLES = /exceeded quota: |is being terminated/;
/** A pod is deleted only if the request for a drain asks for that. */
const POD_DELETION = /^DELETE \/api\/v1\/namespaces\/[^/]+\/pods\//;

const REVIEW = /^POST \/apis\/(authentication|authorization)\.k8s\.io\/v1\/(tokenreviews|subjectaccessreviews)$/;

function adviceFor(status: number, what: string): string {
  if (status === 401) return "Check the token or the client certificate of this program";
  if (status === 403 && POD_DELETION.test(what))
    return "Grant the permission: 'hasta-la-vista rbac --disable-eviction' prints the role";
  if (status === 403 && REVIEW.test(what))
    return "Grant the permission: 'hasta-la-vista rbac --token-review' prints the role";
  if (status === 403) return "Grant the permission: 'hasta-la-vista rbac' prints the role";
  return "";
}

function retryAfter(seconds: unknown): number | undefined {
  const value = typeof seconds === "string" && /^\d{1,9}$/.test(seconds) ? Number(seconds) : seconds;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) return undefined;
  return Math.min(value * 1_000, RETRY_AFTER_MAX_MS);
}

function causesIn(given: unknown): readonly StatusCause[] {
  if (!Array.isArray(given)) return [];
  return given.slice(0, CAUSES_MAX).map((cause: Partial<Record<keyof StatusCause, unknown>> | null) => ({
    ...textField("reason", cause?.reason),
    ...textField("message", cause?.message),
    ...textField("field", cause?.field),
  }));
}

function textField(name: keyof StatusCause, given: unknown): StatusCause {
  return typeof given === "string" ? { [name]: printable(given, MESSAGE_LENGTH_MAX) } : {};
}

/** As an error of the core. Anything that is not a `KubernetesError` is returned unchanged. */
export function asClusterError(error: unknown): unknown {
  if (!(error instanceof KubernetesError)) return error;
  return new DrainError(codeOf(error), error.message, { cause: error });
}

function codeOf({ status, reason, isPassing }: KubernetesError): DrainErrorCode {
  if (status === 401 || reason === "Credentials") return "no-credentials";
  if (status === 403) return "access-denied";
  if (status === 429) return "throttled";
  if (isPassing) return status === 0 ? "unreachable" : "unavailable";
  return "cloud-error";
}
