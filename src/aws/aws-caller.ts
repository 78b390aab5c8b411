import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import type { QuotaState } from "../drain/cloud-state.ts";
import type { CloudCall } from "../drain/events.ts";
import { checkTerm, type Leadership } from "../drain/leadership.ts";
import { backOffMs } from "../drain/limit.ts";
import type { AwsClients } from "./clients.ts";
import { attemptsMax, codeOf, isThrottled, toDrainError, UnusableAnswer } from "./errors.ts";
import type { Bucket, RequestQuota } from "./request-quota.ts";

/** One action of AWS: as in an IAM policy, and what it counts against. */
export interface AwsAction {
  /** `elasticloadbalancing:DeregisterTargets` */
  readonly name: string;
  readonly bucket: Bucket;
  /**
   * What every answer to it has: AWS sends an empty list where there is nothing. The SDK takes an empty body, or another
   * server's XML, for an answer without any fields, which would say that nothing is registered.
   */
  readonly answersWith?: string;
}

const BACK_OFF = { firstMs: 100, maxMs: 5_000 };
/** Throttled for so long at every attempt: this call gets no answer in useful time. */
const THROTTLED_MAX_MS = 600_000;

export interface AwsCallerOptions {
  readonly quota: RequestQuota;
  readonly clock: Clock;
  /** Asked before every attempt. Absent: no other process acts on the same nodes. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** Hears of every attempt. */
  readonly onCall?: (call: CloudCall) => void;
}

/**
 * The way to every call to AWS, and the only place that repeats one: each attempt has a permit of the request quota; a
 * throttled call waits for another permit, one that failed in passing for a moment.
 */
export class AwsCaller {
  readonly #options: AwsCallerOptions;

  constructor(options: AwsCallerOptions) {
    this.#options = options;
  }

  /**
   * Calls `attempt` once there is a permit, so that it can take along what has gathered by then.
   * Throws `DrainError`, or `signal`'s reason.
   */
  async call<T>(action: AwsAction, by: CallFor, attempt: () => Promise<T>): Promise<T> {
    const { urgency, signal, repeats } = by;
    const { quota, clock, leadership } = this.#options;
    let failures = 0;
    let throttledSince: number | undefined;
    for (;;) {
      await quota.permit(action.bucket, by);
      const { purpose } = urgency();
      checkTerm(leadership, signal);
      try {
        const answer = whole(await attempt(), action);
        this.#report({ action: action.name, purpose, result: "ok", throttled: false });
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        const throttled = isThrottled(error);
        this.#report({ action: action.name, purpose, result: codeOf(error) || "unknown", throttled });
        if (throttled) {
          quota.throttled(action.bucket);
          throttledSince ??= clock.now();
          if (clock.now() - throttledSince < THROTTLED_MAX_MS) {
            repeats?.(toDrainError(error, action.name));
            continue;
          }
        }
        failures += 1;
        if (throttled || failures >= attemptsMax(error)) throw toDrainError(error, action.name);
        repeats?.(toDrainError(error, action.name));
        await clock.sleep(backOffMs(failures, BACK_OFF), signal);
      }
    }
  }

  /** How long so many calls of this kind take from now, in milliseconds, when nothing is more urgent. */
  msFor({ bucket }: AwsAction, calls: number): number {
    return this.#options.quota.msFor(bucket, calls);
  }

  /** How the quotas stand now. */
  get quotas(): readonly QuotaState[] {
    return this.#options.quota.state();
  }

  #report(call: CloudCall): void {
    try {
      this.#options.onCall?.(call);
    } catch {
      // An observer must not stop a call.
    }
  }
}

function whole<T>(answer: T, { answersWith }: AwsAction): T {
  if (answersWith === undefined || (answer as Readonly<Record<string, unknown>>)[answersWith] !== undefined)
    return answer;
  throw new UnusableAnswer(`it has no ${answersWith}`);
}

/** AWS's clients, and the way to call them. */
export interface AwsAccess extends AwsClients {
  readonly caller: AwsCaller;
}
