import {
  CompleteLifecycleActionCommand,
  RecordLifecycleActionHeartbeatCommand,
  type RecordLifecycleActionHeartbeatCommandInput,
} from "@aws-sdk/client-auto-scaling";
import { isLifecycleActionOver } from "../aws/errors.ts";
import { asDrainError } from "../drain/errors.ts";
import type { LifecycleAction } from "./announcement.ts";
import { clientFor, type HookTermsOptions, KnownHookTerms } from "./hook-terms.ts";
import type { HookEvent } from "./source-events.ts";

export interface LifecycleHooksOptions extends HookTermsOptions {
  readonly onEvent: (event: HookEvent) => void;
}

/** One action and the instance that waits for it. */
export interface WaitingInstance {
  readonly action: LifecycleAction;
  readonly instanceId: string;
}

const COMPLETE = { name: "autoscaling:CompleteLifecycleAction" };
const HEARTBEAT = { name: "autoscaling:RecordLifecycleActionHeartbeat" };
/**
 * The shortest timeout that AWS allows. Until a hook's own is known, it may be this one.
 * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
 */
const HEARTBEAT_TIMEOUT_MIN_MS = 30_000;
/** The part of a hook's timeout after which a heartbeat is sent. The rest is for retries, and for a process that takes over. */
const HEARTBEAT_AFTER = 0.4;
/** It is better to begin a drain without its hook's deadline than to begin it later. */
const TERMS_WAIT_MS = 2_000;
const RETRY_MS = 5_000;

/** Extends and completes the lifecycle hooks of instances that Auto Scaling is about to terminate. */
export class LifecycleHooks {
  readonly #options: LifecycleHooksOptions;
  readonly #terms: KnownHookTerms;

  constructor(options: LifecycleHooksOptions) {
    this.#options = options;
    this.#terms = new KnownHookTerms(options);
  }

  /**
   * When an action that began at `since` ends, whatever the number of heartbeats: after 100 of its timeouts, or 48
   * hours. Undefined if AWS does not answer in time.
   */
  async deadlineOf(action: LifecycleAction, since: number, signal: AbortSignal): Promise<number | undefined> {
    const terms = await this.#terms.of(action, TERMS_WAIT_MS, signal);
    return terms && since + terms.globalMs;
  }

  /**
   * Sends heartbeats until `signal` aborts or the action is over. The first one is due as if the last one had been sent
   * at `since`, so that a process that takes over an old action begins at once. A failed heartbeat is reported and
   * retried. Never rejects.
   */
  async sendHeartbeats(waiting: WaitingInstance, since: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let last = Math.min(since, clock.now());
    try {
      for (;;) {
        const everyMs = await this.#intervalOf(waiting.action, signal);
        await clock.sleep(last + everyMs - clock.now(), signal);
        const result = await this.#heartbeat(waiting, signal);
        if (result === "over") return;
        if (result === "sent") last = clock.now();
        else await clock.sleep(Math.min(RETRY_MS, everyMs), signal);
      }
    } catch {
      // It was aborted. Nothing else is thrown here.
    }
  }

  /**
   * Completes with CONTINUE. Resolves when the action does not wait any more, even if another program has completed it.
   * Throws `DrainError`.
   */
  async complete(waiting: WaitingInstance, signal: AbortSignal): Promise<void> {
    const { caller } = this.#options;
    const autoScaling = clientFor(waiting.action, this.#options);
    const input = { ...nameOf(waiting), LifecycleActionResult: "CONTINUE" };
    try {
      await caller.call(
        COMPLETE,
        () => autoScaling.send(new CompleteLifecycleActionCommand(input), { abortSignal: signal }),
        signal,
      );
      this.#options.onEvent({ type: "hook-continued", ...waiting });
    } catch (error) {
      if (!isLifecycleActionOver(error)) {
        this.#options.onEvent({ type: "hook-not-completed", ...waiting, error: asDrainError(error) });
        throw error;
      }
      this.#options.onEvent({ type: "hook-over", ...waiting });
    }
  }

  async #intervalOf(action: LifecycleAction, signal: AbortSignal): Promise<number> {
    const terms = await this.#terms.of(action, TERMS_WAIT_MS, signal);
    return (terms?.heartbeatMs ?? HEARTBEAT_TIMEOUT_MIN_MS) * HEARTBEAT_AFTER;
  }

  async #heartbeat(waiting: WaitingInstance, signal: AbortSignal): Promise<"sent" | "failed" | "over"> {
    const { caller, onEvent } = this.#options;
    const autoScaling = clientFor(waiting.action, this.#options);
    try {
      await caller.call(
        HEARTBEAT,
        () => autoScaling.send(new RecordLifecycleActionHeartbeatCommand(nameOf(waiting)), { abortSignal: signal }),
        signal,
      );
      onEvent({ type: "hook-heartbeat", ...waiting });
      return "sent";
    } catch (error) {
      signal.throwIfAborted();
      if (isLifecycleActionOver(error)) {
        onEvent({ type: "hook-over", ...waiting });
        return "over";
      }
      onEvent({ type: "hook-heartbeat-failed", ...waiting, error: asDrainError(error) });
      return "failed";
    }
  }
}

function nameOf({ action, instanceId }: WaitingInstance): RecordLifecycleActionHeartbeatCommandInput {
  return {
    AutoScalingGroupName: action.groupName,
    LifecycleHookName: action.hookName,
    LifecycleActionToken: action.token,
    InstanceId: instanceId,
  };
}
