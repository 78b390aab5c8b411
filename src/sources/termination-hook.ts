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
  /** Leaves every hook as it is. */
  readonly abandon: AbortSignal;
  /** The hook can't be looked after: it is left to its own timeout, unless the failure passes before that. */
  readonly onFailure: (error: DrainError) => void;
}

/** The hook waits for minutes, and the group's own load balancers let go of the machine before that. */
const READ_INTERVAL_MS = 10_000;
/** Past the hook: on its way on, or there. `Terminating:Retained` is kept by a lifecycle policy, and is not terminated. */
const PAST = /:(?:Proceed|Retained)$|^Terminated$|^RootVolumeReplaced$/;
/** `Terminating:Wait`, and `Warmed:Terminating:Wait` of what is taken from the warm pool. */
const WAITS = /:Wait$/;

/**
 * The termination hook of this machine's Auto Scaling group, in place of `LifecycleHooks`: nothing tells the group's name
 * or the action's token here. Auto Scaling is asked for the one, and takes the machine's id for the other.
 */
export class TerminationHook implements Pick<LifecycleHooks, "deadlineOf" | "sendHeartbeats" | "complete"> {
  readonly #options: TerminationHookOptions;
  /** Why Auto Scaling could not be asked when it was tried last, which is reported once. */
  #reported: DrainError["code"] | undefined;

  constructor(options: TerminationHookOptions) {
    this.#options = options;
  }

  /** Of which group is not known before it waits. */
  get action(): LifecycleAction {
    return { groupName: "", hookName: this.#options.hookName };
  }

  /** Since when the hook waits is not known here. */
  async deadlineOf(): Promise<undefined> {}

  /** Once the hook waits, keeps it waiting until `signal` aborts. Never rejects. */
  async sendHeartbeats({ instanceId }: WaitingInstance, since: number, signal: AbortSignal): Promise<void> {
    const { hooks, abandon } = this.#options;
    const waits = withAnyOf([signal, abandon], async (either) => {
      const waiting = await this.#untilItWaits(instanceId, either);
      if (waiting !== undefined) await hooks.sendHeartbeats(waiting, since, either);
    });
    await waits.catch(() => {}); // It was aborted.
  }

  /** Once the hook waits, completes it: before that it would have no effect. Throws `DrainError`, or the signal's reason. */
  async complete({ instanceId }: WaitingInstance, signal: AbortSignal): Promise<void> {
    const waiting = await this.#untilItWaits(instanceId, signal);
    if (waiting !== undefined) await this.#options.hooks.complete(waiting, signal);
  }

  /** Undefined: the machine is past the hook, or AWS does not let it be asked for. */
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
