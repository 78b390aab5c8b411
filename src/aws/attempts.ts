import type { Clock } from "../drain/clock.ts";
import type { DrainError } from "../drain/errors.ts";
import type { CloudCall } from "../drain/events.ts";
import { checkTerm, type Leadership } from "../drain/leadership.ts";
import { backOffMs } from "../drain/limit.ts";
import { attemptsMax, codeOf, isThrottled, toDrainError, UnusableAnswer } from "./errors.ts";

/** One action of AWS, as in an IAM policy. */
export interface Action {
  /** `elasticloadbalancing:DeregisterTargets` */
  readonly name: string;
  /**
   * The field that every answer to it has: AWS sends an empty list if there is nothing. The SDK takes an empty body, or
   * the XML of another server, for an answer without any fields, which would mean that nothing is registered.
   */
  readonly answersWith?: string;
}

const BACK_OFF = { firstMs: 100, maxMs: 5_000 };

export interface AttemptsOptions<Call> {
  readonly clock: Clock;
  /** Called before every attempt. Absent: no other process acts on the same nodes. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** Called for every attempt. */
  readonly onCall?: (call: Call) => void;
}

/** One call, with the differences between the two ways to call AWS. */
export interface Attempted<T, About> {
  readonly action: Action;
  readonly attempt: () => Promise<T>;
  /** Resolves when the next attempt may be sent, with a function to call when it has ended. */
  readonly turn: () => Promise<() => void>;
  /** Further reported fields of an attempt that is about to be sent. */
  readonly about: () => About;
  /**
   * A throttled attempt: `true` if it waits for another turn, `false` if it has waited too long. Absent: it is a
   * failure.
   */
  readonly throttled?: () => boolean;
  /** Called with the reason when a failed attempt is going to be repeated. */
  readonly repeats?: ((error: DrainError) => void) | undefined;
}

/** The reported fields of every attempt. */
type Reported = Omit<CloudCall, "purpose" | "drains" | "place">;

/** An attempt that waits for its turn. */
interface Wanted {
  /** The first one is 1. */
  readonly attempt: number;
  /** In milliseconds since the epoch. */
  readonly wantedAt: number;
}

/** The only place that repeats calls to AWS, and that accepts or rejects an answer. */
export class Attempts<About> {
  readonly #options: AttemptsOptions<About & Reported>;

  constructor(options: AttemptsOptions<About & Reported>) {
    this.#options = options;
  }

  /** Throws `DrainError`, or the reason of `signal`. */
  async untilAnswered<T>(call: Attempted<T, About>, signal: AbortSignal): Promise<T> {
    const { action, turn, throttled, repeats } = call;
    const { clock } = this.#options;
    let failures = 0;
    for (let number = 1; ; number += 1) {
      const wanted = { attempt: number, wantedAt: clock.now() };
      const done = await turn();
      try {
        return await this.#once(call, wanted, signal).finally(done);
      } catch (error) {
        signal.throwIfAborted();
        const isPatient = isThrottled(error) ? throttled?.() : undefined;
        if (isPatient !== true) failures += 1;
        if (isPatient === false || failures >= attemptsMax(error)) throw toDrainError(error, action.name);
        repeats?.(toDrainError(error, action.name));
        if (isPatient !== true) await clock.sleep(backOffMs(failures, BACK_OFF), signal);
      }
    }
  }

  /** Throws the failure of AWS or of the connection. An attempt that its caller has given up is not reported. */
  async #once<T>({ action, attempt, about }: Attempted<T, About>, wanted: Wanted, signal: AbortSignal): Promise<T> {
    const { clock, leadership } = this.#options;
    checkTerm(leadership, signal);
    const sent = { ...about(), ...wanted, action: action.name, sentAt: clock.now() };
    try {
      const answer = whole(await attempt(), action);
      this.#report({ ...sent, ...answered(answer, clock), result: "ok", throttled: false });
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      const result = codeOf(error) || "unknown";
      this.#report({ ...sent, ...answered(error, clock), result, throttled: isThrottled(error) });
      throw error;
    }
  }

  #report(call: About & Reported): void {
    try {
      this.#options.onCall?.(call);
    } catch {
      // A failing observer must not stop a call.
    }
  }
}

/** When an attempt has ended, and the SDK's data about the HTTP answer, from an output or an error. */
function answered(answer: unknown, clock: Clock): Pick<CloudCall, "answeredAt" | "requestId" | "httpStatus"> {
  const { requestId, httpStatusCode } =
    (answer as { readonly $metadata?: ResponseMetadata } | undefined)?.$metadata ?? {};
  return {
    answeredAt: clock.now(),
    ...(requestId === undefined ? {} : { requestId }),
    ...(httpStatusCode === undefined ? {} : { httpStatus: httpStatusCode }),
  };
}

/** The metadata of the SDK. */
interface ResponseMetadata {
  readonly requestId?: string;
  readonly httpStatusCode?: number;
}

function whole<T>(answer: T, { answersWith }: Action): T {
  if (answersWith === undefined || (answer as Readonly<Record<string, unknown>>)[answersWith] !== undefined)
    return answer;
  throw new UnusableAnswer(`it has no ${answersWith}`);
}
