/** Every way in which a drain can fail. The list is closed: each new failure gets a line here, with its meaning. */
export type DrainErrorCode =
  /** No live instance has this id, address or name. */
  | "node-not-found"
  /** The instance existed and is terminated: nothing can send it traffic any more. */
  | "instance-gone"
  /** The address or name matches several instances. */
  | "ambiguous-node"
  /** The instance belongs to another cluster or VPC than the configured one, to none, or to two. */
  | "other-cluster"
  /** The cloud denied a call; the message names the action to allow. */
  | "access-denied"
  /** There are no credentials, or they have expired. They may be available or renewed a moment later. */
  | "no-credentials"
  /** No region is configured. */
  | "no-region"
  /** The cloud could not be reached, or did not answer in time. */
  | "unreachable"
  /** The cloud kept refusing because of its request quota. */
  | "throttled"
  /** The cloud kept failing with an error of its own. */
  | "unavailable"
  /** The cloud answered with an error that another attempt would not change. */
  | "cloud-error"
  /** Another program kept registering the node again. */
  | "registered-again"
  /** What a drain had deregistered could not be registered again. The message says why. */
  | "not-registered"
  /** Pods of the node could not be evicted. The message names them and says why. */
  | "not-evicted"
  /** Registering again is not enabled. */
  | "undo-disabled"
  /** No drain of this id is known. */
  | "drain-not-found"
  /** Another drain of the node runs. What one drain deregisters, another one can't register again. */
  | "another-drain"
  /** The machine is about to leave. Its targets stay deregistered, unless its drain is cancelled by its id. */
  | "machine-leaves"
  /** The ledger of drains could not be written or read. What was requested continues, but without a guarantee. */
  | "ledger-unavailable"
  /** Another replica leads, or may lead. This one may change nothing. */
  | "not-leader"
  /** A fault of this program. */
  | "internal";

/** Codes that are answers to the request, not faults. They need no operator. */
const REFUSALS: ReadonlySet<DrainErrorCode> = new Set([
  "ambiguous-node",
  "other-cluster",
  "undo-disabled",
  "another-drain",
  "machine-leaves",
]);

/** Codes of failures that may be over a moment later. */
const PASSING: ReadonlySet<DrainErrorCode> = new Set(["no-credentials", "unreachable", "throttled", "unavailable"]);

export class DrainError extends Error {
  readonly code: DrainErrorCode;
  /** The failure is temporary: it may be over a moment later. */
  readonly isPassing: boolean;

  /** `isPassing`: regardless of the code. */
  constructor(code: DrainErrorCode, message: string, options?: { cause?: unknown; isPassing?: boolean }) {
    super(message, options);
    this.name = "DrainError";
    this.code = code;
    this.isPassing = options?.isPassing ?? PASSING.has(code);
  }
}

export function isRefusal(code: DrainErrorCode): boolean {
  return REFUSALS.has(code);
}

/** A problem with permissions or access with which drains would not work. */
export interface AccessProblem {
  /** The failed call, by the name of its permission. Absent if it is not a single call. */
  readonly action?: string;
  readonly error: DrainError;
}

/** The thrown value as a `DrainError`. An unexpected one is `internal`, with its cause. */
export function asDrainError(error: unknown): DrainError {
  if (error instanceof DrainError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DrainError("internal", message, { cause: error });
}

/**
 * Characters that a terminal or a log would interpret instead of showing: control and format characters, and line
 * breaks.
 */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Input in a form that messages and logs may contain: without control characters, and at most `max` characters. */
export function printable(input: string, max = 80): string {
  if (input.length <= max) return input.replace(UNPRINTABLE, "?");
  // A character has one unit or two. The rest is not read.
  const characters = [...input.slice(0, 2 * max + 1)];
  const text = characters.slice(0, max).join("").replace(UNPRINTABLE, "?");
  return characters.length > max ? `${text}…` : text;
}
