import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import type { QuotaState } from "../drain/cloud-state.ts";
import type { CloudCall } from "../drain/events.ts";
import { type Action, Attempts, type AttemptsOptions } from "./attempts.ts";
import type { AwsClients } from "./clients.ts";
import type { Bucket, RequestQuota } from "./request-quota.ts";

/** An action with what it counts against. */
export interface AwsAction extends Action {
  readonly bucket: Bucket;
}

/** Throttled for so long at every attempt: this call gets no answer in useful time. */
const THROTTLED_MAX_MS = 600_000;

/** For what an attempt is made. */
type CallAbout = Pick<CloudCall, "purpose" | "drains">;

export interface AwsCallerOptions extends AttemptsOptions<CloudCall> {
  readonly quota: RequestQuota;
}

/**
 * The way to every call whose request quota is known. Each attempt has a permit of the quota; a throttled call waits for
 * another permit, one that failed in passing for a moment (`Attempts`).
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
   * Calls `attempt` once there is a permit, so that it can take along what has gathered by then.
   * Throws `DrainError`, or `signal`'s reason.
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

  /** How long so many calls of this kind take from now, in milliseconds, when nothing is more urgent. */
  msFor({ bucket }: AwsAction, calls: number): number {
    return this.#quota.msFor(bucket, calls);
  }

  /** How the quotas stand now. */
  get quotas(): readonly QuotaState[] {
    return this.#quota.state();
  }
}

/** AWS's clients, and the way to call them. */
export interface AwsAccess extends AwsClients {
  readonly caller: AwsCaller;
}
