import { withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { LifecycleAction } from "./announcement.ts";
import type { LifecycleHooks, WaitingInstance } from "./lifecycle-hooks.ts";
import { type ScalingMembersOptions, scalingMember } from "./returning.ts";

export interface TerminationHookOptions extends ScalingMembersOptions {
  readonly hookName: string;
  readonly hooks: Pick<LifecycleHooks, "sendHeartbeats" | "complete">;
  readonly clock: Clock;
  /** No hook is changed after this. */
  readonly abandon: AbortSignal;
  /** The hook can't be managed: it ends by its own timeout, unless the failure is temporary. */
  readonly onFailure: (error: DrainError) => void;
}

/** The hook waits for minutes, and the group's own load balancers release the machine before that. */
const READ_INTERVAL_MS = 10_000;
/** After the hook. `Terminating:Retained` is retained by a lifecycle policy, and is not terminated. */
const PAST = /:(?:Proceed|Retained)$|^Terminated$|^RootVolumeReplaced$/;
/** `Terminating:Wait`, and `Warmed:Terminating:Wait` of an instance of the warm pool. */
const WAITS = /:Wait$/;

/**
 * The termination hook of this machine's Auto Scaling group, in place of `LifecycleHooks`: the agent does not know the
 * group's name or the action's token. It reads the name from Auto Scaling, which accepts the machine's id instead of
 * the token.
 */
export class TerminationHook implements Pick<LifecycleHooks, "deadlineOf" | "sendHeartbeats" | "complete"> {
  readonly #options: TerminationHookOptions;
  /** Why Auto Scaling could not be asked at the last attempt. It is reported once. */
  #reported: DrainError["code"] | undefined;

  constructor(options: TerminationHookOptions) {
    this.#options = options;
  }

  /** The group is not known before the hook waits. */
  get action(): LifecycleAction {
    return { groupName: "", hookName: this.#options.hookName };
  }

  /** It is unknown here since when the hook waits. */
  async deadlineOf(): Promise<undefined> {}

  /** When the hook waits, keeps it waiting until `signal` aborts. Never rejects. */
  async sendHeartbeats({ instanceId }: WaitingInstance, since: number, signal: AbortSignal): Promise<void> {
    const { hooks, abandon } = this.#options;
    const waits = withAnyOf([signal, abandon], async (either) => {
      const waiting = await this.#untilItWaits(instanceId, either);
      if (waiting !== undefined) await hooks.sendHeartbeats(waiting, since, either);
    });
    await waits.catch(() => {}); // It was aborted.
  }

  /**
   * When the hook waits, completes it. Before that it would have no effect. Throws `DrainError`, or the signal's
   * reason.
   */
  async complete({ instanceId }: WaitingInstance, signal: AbortSignal): Promise<void> {
    const waiting = await this.#untilItWaits(instanceId, signal);
    if (waiting !== undefined) await this.#options.hooks.complete(waiting, signal);
  }

  /** Undefined: the machine is past the hook, or AWS denies the read. */
  async #untilItWaits(instanceId: string, signal: AbortSignal): Promise<WaitingInstance | undefined> {
    const { clock, hookName } = this.#options;
    for (;;) {
      try {
        const member = await scalingMember(instanceId, this.#options, signal);
        this.#reported = undefined;
        const { LifecycleState: state = "", AutoScalingGroupName: groupName = "" } = member ?? {};
        if (WAITS.test(state)) return { action: { groupName, hookName }, instanceId };
        if (member === undefined || PAST.test(state)) return undefined;
      } catch (error) {
        signal.throwIfAborted();
        const why = asDrainError(error);
        if (why.code !== this.#reported) this.#options.onFailure(why);
        this.#reported = why.code;
        if (!why.isPassing) return undefined;
      }
      await clock.sleep(READ_INTERVAL_MS, signal);
    }
  }
}
