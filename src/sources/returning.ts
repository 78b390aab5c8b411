import {
  type AutoScalingClient,
  type AutoScalingInstanceDetails,
  DescribeAutoScalingInstancesCommand,
  type DescribeAutoScalingInstancesCommandOutput,
} from "@aws-sdk/client-auto-scaling";
import type { UnmeteredCaller } from "../aws/unmetered-caller.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import type { MaybeDrained } from "./recommendations.ts";

const DESCRIBE = { name: "autoscaling:DescribeAutoScalingInstances", answersWith: "AutoScalingInstances" };
const READ_INTERVAL_MS = 10_000;
/**
 * A volume is created and the machine booted from it within minutes. Then come the group's launching hooks, whose
 * timeout is an hour by default. https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
 */
const BACK_WITHIN_MS = 7_200_000;
/** An older event may be about a replacement that has ended, because EventBridge delivers within seconds. */
const FRESH_MS = 120_000;

/** The results for machines that were drained because their root volume is replaced. */
export type ReturnEvent = { readonly instanceId: string } & (
  | { readonly type: "awaiting-return"; readonly until: number }
  /**
   * It is in service in its group again. `undone`: the number of undone drains, 0 if nothing had been deregistered.
   */
  | { readonly type: "returned"; readonly undone: number }
  /** It is not in its group any more, so that nothing is registered again. */
  | { readonly type: "not-returning" }
  /** Its controllers have to register it, as configured. */
  | { readonly type: "left-to-controllers" }
  /** Nothing was registered again, and an operator has to do it. */
  | { readonly type: "not-registered-again"; readonly error: DrainError | undefined }
);

export interface ScalingMembersOptions {
  readonly autoScaling: Pick<AutoScalingClient, "send">;
  readonly caller: UnmeteredCaller;
}

/** The state of an instance in Auto Scaling. Undefined: it is in no group. Throws `DrainError`. */
export async function scalingMember(
  instanceId: string,
  { autoScaling, caller }: ScalingMembersOptions,
  signal: AbortSignal,
): Promise<AutoScalingInstanceDetails | undefined> {
  const input = { InstanceIds: [instanceId] };
  const { AutoScalingInstances: members = [] } = await caller.call<DescribeAutoScalingInstancesCommandOutput>(
    DESCRIBE,
    () => autoScaling.send(new DescribeAutoScalingInstancesCommand(input), { abortSignal: signal }),
    signal,
  );
  return members.find(({ InstanceId }) => InstanceId === instanceId);
}

export interface ReturningOptions extends ScalingMembersOptions {
  readonly clock: Clock;
  /** The client for the instance's own place. Absent: `autoScaling`. */
  readonly autoScalingOf?: (instanceId: string) => ScalingMembersOptions["autoScaling"];
  /** `leave`: its controllers have to register it. */
  readonly afterwards: "register" | "leave";
  /** Whether EC2 reports the machine as running. */
  readonly isRunning: (instanceId: string, signal: AbortSignal) => Promise<boolean>;
  /** Registers targets again, and resolves with the number of undone drains. */
  readonly undo: (left: LeftMachine, signal: AbortSignal) => Promise<number>;
  readonly onEvent: (event: ReturnEvent) => void;
}

/** A machine that has left service and will return. `outcome`: of its drain, in the process that has drained it. */
export interface LeftMachine extends MaybeDrained {
  readonly outcome?: DrainOutcome;
}

/**
 * Machines whose root volume Auto Scaling replaces: they leave service like those that are terminated, including hooks,
 * and return under their id. https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
 */
export class ReturningMachines {
  readonly #options: ReturningOptions;
  #waiting = 0;

  constructor(options: ReturningOptions) {
    this.#options = options;
  }

  /** The number of machines that are waited for now. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Whether an announcement of `since` (milliseconds since the epoch) is about a replacement that is over. The machine
   * is in service again, and a drain would be useless. If Auto Scaling does not answer, the answer is no.
   */
  async isOver(instanceId: string, since: number, signal: AbortSignal): Promise<boolean> {
    if (this.#options.clock.now() - since < FRESH_MS) return false;
    try {
      return (await this.#member(instanceId, signal))?.LifecycleState === IN_SERVICE;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }

  /**
   * Waits until a drained machine whose hook was completed is in service again, and registers it again. Every result is
   * reported. Rejects only with `stop`'s reason, after which the announcement must be redelivered.
   */
  async settled(left: LeftMachine, stop: AbortSignal): Promise<void> {
    const { clock, afterwards, undo, onEvent } = this.#options;
    const { instanceId } = left;
    if (afterwards === "leave") return onEvent({ type: "left-to-controllers", instanceId });
    const until = clock.now() + BACK_WITHIN_MS;
    onEvent({ type: "awaiting-return", instanceId, until });
    this.#waiting += 1;
    try {
      const end = await this.#untilBack(instanceId, until, stop);
      if (end === "gone") return onEvent({ type: "not-returning", instanceId });
      if (end === "late") return onEvent({ type: "not-registered-again", instanceId, error: undefined });
      onEvent({ type: "returned", instanceId, undone: await undo(left, stop) });
    } catch (error) {
      stop.throwIfAborted();
      onEvent({ type: "not-registered-again", instanceId, error: asDrainError(error) });
    } finally {
      this.#waiting -= 1;
    }
  }

  #member(instanceId: string, signal: AbortSignal) {
    const { caller, autoScaling, autoScalingOf } = this.#options;
    return scalingMember(instanceId, { caller, autoScaling: autoScalingOf?.(instanceId) ?? autoScaling }, signal);
  }

  async #untilBack(instanceId: string, until: number, stop: AbortSignal): Promise<"back" | "gone" | "late"> {
    const { clock, isRunning } = this.#options;
    for (;;) {
      try {
        const member = await this.#member(instanceId, stop);
        const state = member?.LifecycleState ?? "Terminated";
        if (GONE.test(state)) return "gone";
        if (state === IN_SERVICE && (await isRunning(instanceId, stop))) return "back";
      } catch (error) {
        stop.throwIfAborted();
        if (!asDrainError(error).isPassing) throw error;
      }
      if (clock.now() >= until) return "late";
      await clock.sleep(READ_INTERVAL_MS, stop);
    }
  }
}

const IN_SERVICE = "InService";
/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html */
const GONE = /^Terminated$|^Detached$|^Terminating:(?:Retained|Proceed)$/;
