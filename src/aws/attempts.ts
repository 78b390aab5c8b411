import type { Clock } from "../drain/clock.ts";
import type { DrainError } from "../drain/errors.ts";
import type { CloudCall } from "../drain/events.ts";
import { checkTerm, type Leadership } from "../drain/leadership.ts";
import { backOffMs } from "../drain/limit.ts";
import { attemptsMax, codeOf, isThrottled, toDrainError, UnusableAnswer } from "./errors.ts";

/** One action of AWS: as in an IAM policy. */
export interface Action {
  /** `elasticloadbalancing:DeregisterTargets` */
  readonly name: string;
  /**
   * What every answer to it has: AWS sends an empty list where there is nothing. The SDK takes an empty body, or another
   * server's XML, for an answer without any fields, which would say that nothing is registered.
   */
  readonly answersWith?: string;
}

const BACK_OFF = { firstMs: 100, maxMs: 5_000 };

export interface AttemptsOptions<Reported> {
  readonly clock: Clock;
  /** Asked before every attempt. Absent: no other process acts on the same nodes. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** Hears of every attempt. */
  readonly onCall?: (call: Reported) => void;
}

/** One call, with what the two ways to call AWS do differently. */
export interface Attempted<T, About> {
  readonly action: Action;
  readonly attempt: () => Promise<T>;
  /** Resolves when the next attempt may be sent, with what is to run once it has ended. */
  readonly turn: () => Promise<() => void>;
  /** What else is reported of an attempt that is about to be sent. */
  readonly about: () => About;
  /** A throttled attempt: `true` where it waits for another turn, `false` where it has waited too long. Absent: a failure. */
  readonly throttled?: () => boolean;
  /** Hears why an attempt failed that is made again. */
  readonly repeats?: ((error: DrainError) => void) | undefined;
}

/** What AWS says of an attempt. */
type Ending = Pick<CloudCall, "action" | "result" | "throttled">;

/** The only place that repeats calls to AWS, and that believes or refuses an answer. */
export class Attempts<About> {
  readonly #options: AttemptsOptions<About & Ending>;

  constructor(options: AttemptsOptions<About & Ending>) {
    this.#options = options;
  }

  /** Throws `DrainError`, or the reason of `signal`. */
  async untilAnswered<T>(call: Attempted<T, About>, signal: AbortSignal): Promise<T> {
    const { action, turn, throttled, repeats } = call;
    for (let failures = 0; ; ) {
      const done = await turn();
      try {
        return await this.#once(call, signal).finally(done);
      } catch (error) {
        signal.throwIfAborted();
        const isPatient = isThrottled(error) ? throttled?.() : undefined;
        if (isPatient !== true) failures += 1;
        if (isPatient === false || failures >= attemptsMax(error)) throw toDrainError(error, action.name);
        repeats?.(toDrainError(error, action.name));
        if (isPatient !== true) await this.#options.clock.sleep(backOffMs(failures, BACK_OFF), signal);
      }
    }
  }

  /** Throws what AWS, or the way to it, has failed with. An attempt that its caller has given up is not reported. */
  async #once<T>({ action, attempt, about }: Attempted<T, About>, signal: AbortSignal): Promise<T> {
    checkTerm(this.#options.leadership, signal);
    const sent = { ...about(), action: action.name };
    try {
      const answer = whole(await attempt(), action);
      this.#report({ ...sent, result: "ok", throttled: false });
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      this.#report({ ...sent, result: codeOf(error) || "unknown", throttled: isThrottled(error) });
      throw error;
    }
  }

  #report(call: About & Ending): void {
    try {
      this.#options.onCall?.(call);
    } catch {
      // An observer must not stop a call.
    }
  }
}

function whole<T>(answer: T, { answersWith }: Action): T {
  if (answersWith === undefined || (answer as Readonly<Record<string, unknown>>)[answersWith] !== undefined)
    return answer;
  throw new UnusableAnswer(`it has no ${answersWith}`);
}
