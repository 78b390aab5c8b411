import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import type { QuotaState } from "../drain/cloud-state.ts";
import type { CloudCall } from "../drain/events.ts";
import { type Action, Attempts, type AttemptsOptions } from "./attempts.ts";
import type { AwsClients } from "./clients.ts";
import type { Bucket, RequestQuota } from "./request-quota.ts";

/** An action with the quota that it counts against. */
export interface AwsAction extends Action {
  readonly bucket: Bucket;
}

/** If every attempt was throttled for this long, the call gets no answer in useful time. */
const THROTTLED_MAX_MS = 600_000;

/** The purpose of an attempt. */
type CallAbout = Pick<CloudCall, "purpose" | "drains">;

export interface AwsCallerOptions extends AttemptsOptions<CloudCall> {
  readonly quota: RequestQuota;
}

/**
 * For every call whose request quota is known. Each attempt has a permit of the quota. A throttled call waits for
 * another permit, and a temporarily failed one for a moment (`Attempts`).
 */
export class AwsCaller {
  readonly #quota: RequestQuota;
  readonly #clock: Clock;
  readonly #attempts: Attempts<CallAbout>;

  constructor(options: AwsCallerOptions) {
    this.#quota = options.quota;
    this.#clock = options.clock;
    this.#attempts = new Attempts<CallAbout>(options);
  }

  /**
   * Calls `attempt` when there is a permit, so that it can include what has gathered by then. Throws `DrainError`, or
   * `signal`'s reason.
   */
  async call<T>(action: AwsAction, by: CallFor, attempt: () => Promise<T>): Promise<T> {
    const { urgency, signal, repeats, drains } = by;
    let throttledSince: number | undefined;
    const turn = async () => {
      await this.#quota.permit(action.bucket, by);
      return () => {};
    };
    const throttled = () => {
      this.#quota.throttled(action.bucket);
      throttledSince ??= this.#clock.now();
      return this.#clock.now() - throttledSince < THROTTLED_MAX_MS;
    };
    const about = () => ({ purpose: urgency().purpose, ...(drains && { drains }) });
    return this.#attempts.untilAnswered({ action, attempt, turn, about, throttled, repeats }, signal);
  }

  /** How long this number of calls of this kind take from now, in milliseconds, if nothing is more urgent. */
  msFor({ bucket }: AwsAction, calls: number): number {
    return this.#quota.msFor(bucket, calls);
  }

  /** The current state of the quotas. */
  get quotas(): readonly QuotaState[] {
    return this.#quota.state();
  }
}

/** AWS's clients, and the caller to use them with. */
export interface AwsAccess extends AwsClients {
  readonly caller: AwsCaller;
}
