import { withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { LifecycleHooks } from "./lifecycle-hooks.ts";
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

export interface Attendance {
  /** The machine can go. */
  readonly drained: AbortSignal;
  /** The hook is left as it is, to its own timeout. */
  readonly untouched: AbortSignal;
  /** Whether the first heartbeat comes at once, for the hook may have waited for long. */
  readonly beatsAtOnce: boolean;
}

/** The hook waits for minutes, and the group's own load balancers let go of the machine before that. */
const READ_INTERVAL_MS = 10_000;
/** Past the hook: on its way on, or there. `Terminating:Retained` is kept by a lifecycle policy, and is not terminated. */
const PAST = /:(?:Proceed|Retained)$|^Terminated$|^RootVolumeReplaced$/;
/** `Terminating:Wait`, and `Warmed:Terminating:Wait` of what is taken from the warm pool. */
const WAITS = /:Wait$/;

/** The termination hook of this machine's Auto Scaling group, whose token is not known here: AWS takes the machine's id too. */
export class TerminationHook {
  readonly #options: TerminationHookOptions;

  constructor(options: TerminationHookOptions) {
    this.#options = options;
  }

  /**
   * Keeps the hook of a machine that is being terminated waiting until `drained` aborts, and lets it go then. Resolves
   * when it does not wait any more, or it was `untouched`. Never rejects.
   */
  attend(instanceId: string, attendance: Attendance): Promise<void> {
    return withAnyOf([attendance.untouched, this.#options.abandon], (signal) =>
      this.#attend(instanceId, attendance, signal),
    );
  }

  async #attend(instanceId: string, { drained, beatsAtOnce }: Attendance, signal: AbortSignal): Promise<void> {
    const { hookName, hooks, clock } = this.#options;
    try {
      const groupName = await this.#groupThatWaits(instanceId, signal);
      if (groupName === undefined) return;
      const waiting = { action: { groupName, hookName }, instanceId };
      const since = beatsAtOnce ? 0 : clock.now();
      await withAnyOf([drained, signal], (either) => hooks.sendHeartbeats(waiting, since, either));
      // The hooks report a failure themselves.
      if (drained.aborted) await hooks.complete(waiting, signal).catch(() => {});
    } catch (error) {
      if (!signal.aborted) this.#options.onFailure(asDrainError(error));
    }
  }

  /** Waits until the hook waits: completing it before has no effect. Undefined: the machine is past it. */
  async #groupThatWaits(instanceId: string, signal: AbortSignal): Promise<string | undefined> {
    const { clock, onFailure } = this.#options;
    let hasFailed = false;
    for (;;) {
      try {
        const member = await scalingMember(instanceId, this.#options, signal);
        const state = member?.LifecycleState ?? "";
        if (WAITS.test(state)) return member?.AutoScalingGroupName;
        if (member === undefined || PAST.test(state)) return undefined;
      } catch (error) {
        signal.throwIfAborted();
        const why = asDrainError(error);
        if (!why.isPassing) throw why;
        if (!hasFailed) onFailure(why);
        hasFailed = true;
      }
      await clock.sleep(READ_INTERVAL_MS, signal);
    }
  }
}
