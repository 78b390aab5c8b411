import { DrainError } from "../drain/errors.ts";
import { PROXY_FAILED } from "./proxy.ts";

/** The common fields of the SDK's errors, as far as they are used. Modelled errors have AWS's code in `Code`. */
interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly Code?: string;
  /** Node's. DOM exceptions have a number here. */
  readonly code?: string | number;
  readonly hostname?: string;
  readonly address?: string;
  readonly port?: number;
  /** From Node, if a host has several addresses: one error for each. */
  readonly errors?: readonly SdkError[];
  /** The SDK's. */
  readonly $metadata?: { readonly httpStatusCode?: number; readonly clockSkewCorrected?: boolean };
  /** From the SDK, for errors that AWS has answered: the party at fault. */
  readonly $fault?: string;
}

/** The answer can't be AWS's complete answer, or can't be true. Another attempt may succeed. */
export class UnusableAnswer extends Error {
  override readonly name = "UnusableAnswer";
}

const ACCESS_DENIED = new Set([
  "AccessDenied",
  "AccessDeniedException",
  "UnauthorizedOperation",
  "UnauthorizedAccess",
  // For queues with encrypted messages: the policy of the key.
  "KmsAccessDenied",
  "KMS.AccessDeniedException",
]);
const THROTTLED = new Set([
  // Only of classic load balancers.
  "DependencyThrottle",
  "DependencyThrottleException",
  "Throttling",
  "ThrottlingException",
  "ThrottledException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "EC2ThrottledException",
  "KmsThrottled",
  "KMS.ThrottlingException",
  "TooManyRequestsException",
]);
/** From the SDK. They say where it looked. */
const CREDENTIALS_NOT_FOUND = new Set([
  "CredentialsProviderError",
  "TokenProviderError",
  "InstanceMetadataV1FallbackError",
]);
const CREDENTIALS_REFUSED = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "RequestExpired",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "AuthFailure",
  "SignatureDoesNotMatch",
  "InvalidSignatureException",
  "IncompleteSignature",
  "MissingAuthenticationToken",
  // From STS, when the token of a service account is exchanged for credentials.
  // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
  "InvalidIdentityToken",
  "InvalidIdentityTokenException",
  "IDPCommunicationError",
  "IDPCommunicationErrorException",
]);
/** The time of the signature may be the cause of these. */
const SIGNATURE_REFUSED = new Set(["AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException"]);
const SKEWED = new Set(["RequestTimeTooSkewed", "RequestInTheFuture", "RequestExpired"]);
/** `Signature expired: 20260101T000000Z is now earlier than …`, `Signature not yet current: … is still later than …` */
const OTHER_TIME = /Signature expired|Signature not yet current|is now earlier than|is still later than/i;
const UNREACHABLE = new Set([
  "TimeoutError",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  PROXY_FAILED,
]);

/** Pairs of the code on the wire and the SDK's name for it. */
const GROUP_GONE = new Set(["TargetGroupNotFound", "TargetGroupNotFoundException"]);
const LOAD_BALANCER_GONE = new Set([
  "LoadBalancerNotFound",
  "LoadBalancerNotFoundException",
  "AccessPointNotFound",
  "AccessPointNotFoundException",
]);
const TARGET_GONE = new Set([
  "InvalidTarget",
  "InvalidTargetException",
  "InvalidInstance",
  "InvalidEndPoint",
  "InvalidEndPointException",
]);

const QUEUE_GONE = new Set(["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"]);
/** AWS has no separate code for this. https://github.com/convox/rack/issues/2432 */
const ACTION_OVER = /No active Lifecycle Action found|AutoScalingGroup name not found/i;

/** The lifecycle action does not wait (any more): it was completed, its time was up, or its group is gone. */
export function isLifecycleActionOver(error: unknown): boolean {
  const cause = error instanceof DrainError ? error.cause : error;
  return codeOf(cause) === "ValidationError" && ACTION_OVER.test((cause as SdkError).message);
}

/** The target group or load balancer does not exist (any more). */
export function isPoolGone(error: unknown): boolean {
  return GROUP_GONE.has(codeOf(error)) || LOAD_BALANCER_GONE.has(codeOf(error));
}

/** AWS does not know an instance of the call. The call has then done nothing for the others either. */
export function isTargetGone(error: unknown): boolean {
  return TARGET_GONE.has(codeOf(error));
}

/** Whether AWS's message contains this id. It does not always name the one that it means. */
export function isNamedIn(error: unknown, id: string): boolean {
  return id !== "" && error instanceof Error && error.message.includes(id);
}

export function isThrottled(error: unknown): boolean {
  return THROTTLED.has(codeOf(error));
}

/**
 * Another attempt may succeed: AWS had a fault or could not be reached, its answer was damaged on the way, or its clock
 * and this process's differed until now.
 */
function isPassing(error: unknown): boolean {
  const { httpStatusCode = 0, clockSkewCorrected = false } = (error as Partial<SdkError> | undefined)?.$metadata ?? {};
  const isCorrected = clockSkewCorrected && SIGNATURE_REFUSED.has(codeOf(error));
  return UNREACHABLE.has(codeOf(error)) || isUnusable(error) || httpStatusCode >= 500 || isCorrected || isSkew(error);
}

/**
 * The signature's time differs from AWS's by more than AWS allows. With each answer the SDK corrects the time of its
 * signatures. It reports that only if this machine's clock is wrong, not if the clock was corrected since.
 */
function isSkew(error: unknown): boolean {
  const code = codeOf(error);
  return SKEWED.has(code) || (SIGNATURE_REFUSED.has(code) && OTHER_TIME.test((error as SdkError).message));
}

/** AWS refused the credentials. New ones may exist by now. */
export function areCredentialsRefused(error: unknown): boolean {
  return CREDENTIALS_REFUSED.has(codeOf(error));
}

/** The number of attempts of a call that AWS fails or throttles, or that does not reach it. */
const ATTEMPTS_MAX = 8;
/** A drain with a limit waits for credentials. Other callers learn soon what to do. */
const CREDENTIALS_ATTEMPTS_MAX = 3;

/** The number of consecutive attempts of a call with this failure. 1: another attempt would not help. */
export function attemptsMax(error: unknown): number {
  if (areCredentialsRefused(error) || CREDENTIALS_NOT_FOUND.has(codeOf(error))) return CREDENTIALS_ATTEMPTS_MAX;
  return isPassing(error) || isThrottled(error) ? ATTEMPTS_MAX : 1;
}

/**
 * AWS's error as an error of this program. Only this file knows AWS's codes. `action` as in an IAM policy:
 * `elasticloadbalancing:DeregisterTargets`.
 */
export function toDrainError(error: unknown, action: string): DrainError {
  if (error instanceof DrainError) return error;
  const cause = { cause: error };
  const code = codeOf(error);
  const { message, errors, hostname, address, port } = error as SdkError;
  const said = String(message || code).replace(/\s+/g, " ");
  if (ACCESS_DENIED.has(code)) {
    return new DrainError(
      "access-denied",
      `AWS denied ${action}: allow it in the IAM policy (AWS says: ${said})`,
      cause,
    );
  }
  if (CREDENTIALS_NOT_FOUND.has(code)) {
    return new DrainError(
      "no-credentials",
      `no valid AWS credentials for ${action}: give the pod or instance a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID (${said})`,
      cause,
    );
  }
  if (CREDENTIALS_REFUSED.has(code)) {
    // Not in AWS's words, which quote the request whose signature it refuses, including the session token.
    return new DrainError(
      "no-credentials",
      `no valid AWS credentials for ${action}: renew them, or check the role that gives them (AWS says: ${code})`,
      cause,
    );
  }
  // The SDK takes an empty AWS_REGION for a region.
  if (said.includes("Region is missing") || said.includes("Region not accepted")) {
    return new DrainError("no-region", "no AWS region: set AWS_REGION, or --region", cause);
  }
  if (THROTTLED.has(code)) {
    return new DrainError("throttled", `AWS kept throttling ${action} (${said})`, cause);
  }
  if (code === PROXY_FAILED) {
    return new DrainError(
      "unreachable",
      `could not reach AWS through the proxy for ${action} (${said}): check HTTPS_PROXY and NO_PROXY`,
      cause,
    );
  }
  if (UNREACHABLE.has(code)) {
    const tried = errors?.[0] ?? { address, port };
    const where = hostname ?? (tried.address === undefined ? "AWS" : `${tried.address}:${tried.port}`);
    return new DrainError(
      "unreachable",
      `could not reach ${where} for ${action} (${code}): check AWS_REGION, AWS_ENDPOINT_URL and the network`,
      cause,
    );
  }
  if (QUEUE_GONE.has(code)) {
    return new DrainError(
      "cloud-error",
      `the queue does not exist for ${action}: check QUEUE, its region and its account (AWS says: ${said})`,
      cause,
    );
  }
  if (isUnusable(error)) {
    // The SDK adds advice for developers.
    const [why] = said.split(" Deserialization error");
    return new DrainError("unavailable", `the answer to ${action} is not valid (${why})`, cause);
  }
  return new DrainError(isPassing(error) ? "unavailable" : "cloud-error", `${action} failed: ${code}: ${said}`, cause);
}

/** AWS denies this call, or never answers it in a usable form. What a drain can do without is skipped then. */
export function isNeverAnswered(error: DrainError): boolean {
  return error.code === "access-denied" || error.code === "cloud-error" || codeOf(error) === UnusableAnswer.name;
}

/** AWS's code, or Node's, or the error's name. Empty if there is none. */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if (error instanceof DrainError) return codeOf(error.cause);
  const { Code, code, name } = error as SdkError;
  if (isUnusable(error)) return UnusableAnswer.name;
  return Code ?? (typeof code === "string" ? code : name) ?? "";
}

/** Errors that AWS has answered have `$fault`. Here an answer came that the SDK could not parse. */
function isUnusable(error: unknown): boolean {
  if (error instanceof UnusableAnswer) return true;
  if (typeof error !== "object" || error === null || error instanceof DrainError) return false;
  const { $metadata, $fault, name = "", code = name } = error as Partial<SdkError>;
  return $metadata?.httpStatusCode !== undefined && $fault === undefined && !UNREACHABLE.has(String(code));
}
