/** Every way in which a drain can fail. The list is closed: a new failure gets a line here, with its meaning. */
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
  /** There are no credentials, or they have expired. They may come, or be renewed, a moment later. */
  | "no-credentials"
  /** No region is configured. */
  | "no-region"
  /** The cloud could not be reached, or did not answer in time. */
  | "unreachable"
  /** The cloud went on refusing because of its request quota. */
  | "throttled"
  /** The cloud went on failing by its own fault. */
  | "unavailable"
  /** The cloud answered with an error that another attempt would not mend. */
  | "cloud-error"
  /** Another program kept registering the node again. */
  | "registered-again"
  /** What a drain had deregistered could not be registered again; the message says why. */
  | "not-registered"
  /** Pods of the node could not be evicted; the message names them and says why. */
  | "not-evicted"
  /** Registering again is not enabled. */
  | "undo-disabled"
  /** No drain of this id is known. */
  | "drain-not-found"
  /** Another drain of the node runs: what one deregisters the other can't register again. */
  | "another-drain"
  /** The machine is about to leave: what was deregistered of it stays so, unless its drain is cancelled by its id. */
  | "machine-leaves"
  /** The ledger of drains could not be written or read: what was asked for goes on, but is not promised. */
  | "ledger-unavailable"
  /** Another replica leads, or may lead: this one may change nothing. */
  | "not-leader"
  /** A fault of this program. */
  | "internal";

/** Codes that are answers to the request rather than faults: they need no operator. */
const REFUSALS: ReadonlySet<DrainErrorCode> = new Set([
  "ambiguous-node",
  "other-cluster",
  "undo-disabled",
  "another-drain",
  "machine-leaves",
]);

/** Codes of failures that may be gone a moment later. */
const PASSING: ReadonlySet<DrainErrorCode> = new Set(["no-credentials", "unreachable", "throttled", "unavailable"]);

export class DrainError extends Error {
  readonly code: DrainErrorCode;
  /** It may be gone a moment later. */
  readonly isPassing: boolean;

  /** `isPassing`: whatever the code says. */
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

/** Something that would keep drains from working. */
export interface AccessProblem {
  /** The call that failed, as its permission is named. Absent where no single one did. */
  readonly action?: string;
  readonly error: DrainError;
}

/** Whatever was thrown, as a `DrainError`; an unexpected one is `internal`, with its cause. */
export function asDrainError(error: unknown): DrainError {
  if (error instanceof DrainError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DrainError("internal", message, { cause: error });
}

/** What a terminal or a log would act on instead of showing it: control and format characters, breaks of lines. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Input as it may stand in messages and logs: without control characters, and at most `max` characters of it. */
export function printable(input: string, max = 80): string {
  if (input.length <= max) return input.replace(UNPRINTABLE, "?");
  // A character is one unit or two: the rest is not read.
  const characters = [...input.slice(0, 2 * max + 1)];
  const text = characters.slice(0, max).join("").replace(UNPRINTABLE, "?");
  return characters.length > max ? `${text}…` : text;
}
