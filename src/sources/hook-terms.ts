import {
  type AutoScalingClient,
  DescribeLifecycleHooksCommand,
  type DescribeLifecycleHooksCommandOutput,
} from "@aws-sdk/client-auto-scaling";
import type { UnmeteredCaller } from "../aws/unmetered-caller.ts";
import { newAbort, onAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { withLimit } from "../drain/limit.ts";
import type { LifecycleAction } from "./announcement.ts";

/** How long a hook waits, in milliseconds. */
export interface HookTerms {
  /** From the last heartbeat. */
  readonly heartbeatMs: number;
  /** In total, whatever the number of heartbeats. */
  readonly globalMs: number;
}

const DESCRIBE = { name: "autoscaling:DescribeLifecycleHooks", answersWith: "LifecycleHooks" };
/** A change of a hook is noticed after this time. */
const FRESH_MS = 300_000;
/** A failed read of a hook is repeated after this long. */
const UNKNOWN_FRESH_MS = 30_000;
/** Messages contain the names of hooks, which must not fill the memory. */
const HOOKS_MAX = 1_000;
export const GLOBAL_MAX_MS = 172_800_000;
export const HEARTBEATS_MAX = 100;

interface Known {
  readonly terms: Promise<HookTerms | undefined>;
  /** Absent until AWS has answered, and if it could not be read. */
  answered?: HookTerms;
  freshUntil: number;
  /** Ends the read. */
  readonly abort: AbortController;
  /** The signals of the callers that have asked for it and are not over. */
  readonly callers: Set<AbortSignal>;
}

export interface HookTermsOptions {
  readonly autoScaling: Pick<AutoScalingClient, "send">;
  /** The same for another place. */
  readonly autoScalingOf?: (place: string) => Pick<AutoScalingClient, "send">;
  readonly caller: UnmeteredCaller;
  readonly clock: Clock;
}

/** The client for the action's own place. */
export function clientFor({ place }: LifecycleAction, { autoScaling, autoScalingOf }: HookTermsOptions) {
  return (place && autoScalingOf?.(place)) || autoScaling;
}

/** How long hooks wait, read once for all their actions. */
export class KnownHookTerms {
  readonly #options: HookTermsOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: HookTermsOptions) {
    this.#options = options;
  }

  /** Undefined if AWS does not answer within `waitMs`, or at all. Then it is read again later. */
  async of(action: LifecycleAction, waitMs: number, signal: AbortSignal): Promise<HookTerms | undefined> {
    const { clock } = this.#options;
    const known = this.#shared(action);
    const { terms, answered } = known;
    if (answered !== undefined) return answered;
    endWithCallers(known, signal);
    const limit = { reason: "timeout", at: clock.now() + waitMs } as const;
    try {
      return await withLimit({ clock, limit, signal }, () => terms);
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  #shared(action: LifecycleAction): Known {
    const { clock } = this.#options;
    const key = JSON.stringify([action.groupName, action.hookName, action.place]);
    const known = this.#known.get(key);
    if (known !== undefined && clock.now() < known.freshUntil) return known;
    const abort = newAbort();
    const asked: Known = {
      abort,
      callers: new Set(),
      terms: this.#ask(action, abort.signal).then(
        (terms) => {
          asked.freshUntil = clock.now() + (terms === undefined ? UNKNOWN_FRESH_MS : FRESH_MS);
          if (terms !== undefined) asked.answered = terms;
          return terms;
        },
        () => {
          // The next caller has not failed to read it.
          if (abort.signal.aborted && this.#known.get(key) === asked) this.#known.delete(key);
          asked.freshUntil = clock.now() + UNKNOWN_FRESH_MS;
          return undefined;
        },
      ),
      freshUntil: Number.POSITIVE_INFINITY,
    };
    this.#known.delete(key);
    this.#known.set(key, asked);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= HOOKS_MAX) break;
      this.#known.delete(oldest);
    }
    return asked;
  }

  /** Shared by all callers, so that no single caller's abort cancels it. Its attempts are limited. */
  async #ask(action: LifecycleAction, signal: AbortSignal): Promise<HookTerms | undefined> {
    const input = { AutoScalingGroupName: action.groupName, LifecycleHookNames: [action.hookName] };
    const autoScaling = clientFor(action, this.#options);
    const { LifecycleHooks: hooks = [] } = await this.#options.caller.call<DescribeLifecycleHooksCommandOutput>(
      DESCRIBE,
      () => autoScaling.send(new DescribeLifecycleHooksCommand(input), { abortSignal: signal }),
      signal,
    );
    const [hook] = hooks;
    if (hook?.HeartbeatTimeout === undefined || !(hook.HeartbeatTimeout > 0)) return undefined;
    const heartbeatMs = hook.HeartbeatTimeout * 1_000;
    const globalMs = hook.GlobalTimeout === undefined ? HEARTBEATS_MAX * heartbeatMs : hook.GlobalTimeout * 1_000;
    return { heartbeatMs, globalMs: Math.min(GLOBAL_MAX_MS, globalMs) };
  }
}

/** A read that no caller needs any more would outlive the drain, and the process that stops. */
function endWithCallers({ abort, callers }: Known, signal: AbortSignal): void {
  if (callers.has(signal) || signal.aborted) return;
  callers.add(signal);
  onAbort(signal, () => {
    callers.delete(signal);
    if (callers.size === 0) abort.abort(new Error("no drain needs the terms of the hook"));
  });
}
