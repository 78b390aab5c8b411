import type { Node, Registration } from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import type {
  EndOfDrain,
  LedgerStep,
  OwnForms,
  RecordedError,
  RecordedOutcome,
  RecordedResult,
  RecordedUndone,
} from "./ledger.ts";
import type { RegistrationResult, UndoneResult } from "./outcome.ts";
import type { AskedRequest } from "./request.ts";
import type { OfType, Step } from "./steps.ts";

/** Below 0: the ledger does not have the registration. */
export type NumberOf = (registration: Registration) => number;

/** A step as the ledger has it. Undefined: it is not written. */
export function writtenForm(step: Step, numberOf: NumberOf): LedgerStep | undefined {
  const own = OWN_FORMS[step.type as keyof typeof OWN_FORMS] as OwnForm<never> | undefined;
  return own === undefined ? commonForm(step, numberOf) : own(step as never, numberOf);
}

type OwnForm<S> = (step: S, numberOf: NumberOf) => LedgerStep | undefined;

/** The fields of the step, with numbers in place of registrations, and failures without their causes. */
function commonForm(step: Step, numberOf: NumberOf): LedgerStep {
  const { type, registration, error, ...more } = step as Step &
    Partial<{ registration: Registration; error: DrainError }>;
  const form = {
    type,
    ...(registration && { of: numbersOf([registration], numberOf) }),
    ...more,
    ...(error && { error: recordedError(error) }),
  };
  return form as LedgerStep;
}

/** The steps whose entries have more fields than that, or fewer. */
const OWN_FORMS = {
  accepted: ({ type, node, request: asked }) => {
    const request = recordedRequest(asked);
    return { type, node, startedAt: request.askedAt, request };
  },
  joined: ({ type, request }) => ({ type, request: recordedRequest(request) }),
  // The journal sets the number. When a target was live last decides nothing in a later process.
  found: (step) => ({ ...step, registrations: step.registrations.map(recordedRegistration), first: 0 }),
  planned: ({ type, plan: { longestHoldMs, limit, warnings }, dryRun }) =>
    dryRun ? undefined : { type, longestHoldMs, limit: { reason: limit.reason, at: Math.round(limit.at) }, warnings },
  deregistered: ({ type, registration, foundDraining, since, isEarlier }, numberOf) => ({
    type,
    of: numbersOf([registration], numberOf),
    ...(foundDraining && { foundDraining }),
    ...(since === undefined ? {} : { since: Math.round(since) }),
    ...(isEarlier && { isEarlier }),
  }),
  released: ({ type, registration }, numberOf) => ({ type, of: numbersOf([registration], numberOf) }),
  ended: ({ type, outcome }, numberOf) => {
    if (outcome.status === "planned") return undefined;
    // An outcome that the end of the process has caused is not the outcome of the drain.
    if (outcome.status === "abandoned") return { type: "interrupted" };
    return { type, outcome: recordedOutcome(outcome, numberOf) };
  },
  undone: ({ type, outcome }, numberOf) => {
    const ended = outcome.registrations.map(({ registration, state, error }) => ({
      of: numberOf(registration),
      state,
      ...(error && { error: recordedError(error) }),
    }));
    return { type, registrations: ended.filter(({ of }) => of >= 0) };
  },
} satisfies { readonly [T in keyof OwnForms & Step["type"]]: OwnForm<OfType<Step, T>> };

/** The same object where there is nothing to leave out: the ledger keeps those of all running drains. */
function recordedRegistration(registration: Registration): Registration {
  if (registration.liveAt === undefined) return registration;
  const { liveAt: _, ...recorded } = registration;
  return recorded;
}

function numbersOf(registrations: readonly Registration[], numberOf: NumberOf): readonly number[] {
  return registrations.map(numberOf).filter((number) => number >= 0);
}

function recordedRequest({ askedAt, firstTriedAt, ...asked }: AskedRequest): AskedRequest {
  const { asker, reason, deadline, timeoutMs, isVoluntary, force } = asked;
  const { holdsWhile, isExcludedBefore, evict, isEvictedByOwner } = asked;
  return given({
    askedAt: Math.round(askedAt),
    ...{ asker, reason, deadline, timeoutMs, isVoluntary, force },
    firstTriedAt: firstTriedAt === undefined ? undefined : Math.round(firstTriedAt),
    ...{ holdsWhile, isExcludedBefore, evict, isEvictedByOwner },
  });
}

function given(request: { readonly [Name in keyof AskedRequest]: AskedRequest[Name] | undefined }): AskedRequest {
  return Object.fromEntries(
    Object.entries(request).filter(([, value]) => value !== undefined),
  ) as unknown as AskedRequest;
}

function recordedOutcome(outcome: EndOfDrain, numberOf: NumberOf): RecordedOutcome {
  const ended = "registrations" in outcome ? outcome.registrations : [];
  return {
    status: outcome.status,
    registrations: ended.map((result) => recordedResult(result, numberOf)).filter(({ of }) => of >= 0),
    ...("limit" in outcome ? { limit: outcome.limit, searched: outcome.searched } : {}),
    ...("message" in outcome ? { message: outcome.message } : {}),
    ...("refusal" in outcome ? { refusal: outcome.refusal } : {}),
    ...("eviction" in outcome && outcome.eviction !== undefined ? { eviction: outcome.eviction } : {}),
    ...("error" in outcome && outcome.error !== undefined ? { error: recordedError(outcome.error) } : {}),
  };
}

function recordedResult({ registration, error, ...result }: RegistrationResult, numberOf: NumberOf): RecordedResult {
  const heldMs = Math.round(result.heldMs);
  return { of: numberOf(registration), ...result, heldMs, ...(error && { error: recordedError(error) }) };
}

function recordedError({ code, message }: DrainError): RecordedError {
  return { code, message };
}

interface RecordedDrain {
  readonly id: string;
  readonly node: Node;
  /** By number. Undefined: its entry is missing. */
  readonly registrations: readonly ({ readonly registration: Registration } | undefined)[];
  readonly elsewhere: readonly Registration[];
}

/** The outcome that was written, for the drain that it belongs to. */
export function outcomeOf(
  { status, registrations: recorded, limit, searched, message, error, refusal, eviction }: RecordedOutcome,
  { id, node, registrations: found, elsewhere }: RecordedDrain,
): EndOfDrain {
  const about = { drainId: id, node, ...(eviction && { eviction }) };
  const registrations = recorded.flatMap(({ of, error: why, ...result }) => {
    const registration = found[of]?.registration;
    return registration === undefined ? [] : [{ registration, ...result, ...(why && { error: thrown(why) }) }];
  });
  switch (status) {
    case "drained":
    case "possibly-registered":
      return { ...about, status, registrations, elsewhere };
    case "nothing-registered":
      return { ...about, status, elsewhere };
    case "deadline-passed":
      return {
        ...about,
        status,
        limit: limit ?? { reason: "timeout", at: 0 },
        searched: searched ?? false,
        registrations,
      };
    case "instance-gone":
      return { status, message: message ?? "" };
    case "abandoned":
    case "cancelled":
      return { ...about, status, registrations };
    case "superseded":
      return { ...about, status, message: message ?? "", registrations };
    case "failed":
      return { ...about, status, error: thrown(error), registrations };
    case "refused":
      return { ...about, status, refusal: refusal ?? { reason: "too-few-healthy", message: "", pools: [] } };
    default:
      return status satisfies never;
  }
}

/** Without the registrations whose own entries are missing. */
export function undoneOf(
  { of, error, ...result }: RecordedUndone,
  found: RecordedDrain["registrations"],
): readonly UndoneResult[] {
  const registration = found[of]?.registration;
  return registration === undefined ? [] : [{ registration, ...result, ...(error && { error: thrown(error) }) }];
}

function thrown(error: RecordedError | undefined): DrainError {
  return new DrainError(error?.code ?? "internal", error?.message ?? "");
}
