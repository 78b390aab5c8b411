export type LifecycleResult = "CONTINUE" | "ABANDON";

export interface LifecycleHook {
  readonly name: string;
  readonly transition: "autoscaling:EC2_INSTANCE_LAUNCHING" | "autoscaling:EC2_INSTANCE_TERMINATING";
  readonly heartbeatTimeoutSeconds: number;
  /** The result if it is not completed in time. */
  readonly defaultResult: LifecycleResult;
  /** Passed on to the receivers of the hook's notification. */
  readonly notificationMetadata?: string;
  /** The ARN of the queue or topic that Auto Scaling notifies in addition to EventBridge, and the role for it. */
  readonly notificationTarget?: string;
  readonly role?: string;
}

const GLOBAL_TIMEOUT_MAX_SECONDS = 172_800;
const HEARTBEATS_MAX = 100;

/** The maximum duration of an action, however often heartbeats restart its timeout. */
export function globalTimeoutSeconds({ heartbeatTimeoutSeconds }: LifecycleHook): number {
  return Math.min(GLOBAL_TIMEOUT_MAX_SECONDS, HEARTBEATS_MAX * heartbeatTimeoutSeconds);
}

/** The wait of one hook for one instance. It ends when it is completed or when it times out, whichever comes first. */
export class LifecycleAction {
  readonly hook: LifecycleHook;
  /** A UUID, which AWS sends only to the receivers of the hook's notification. */
  readonly token: string;
  /** Milliseconds since the epoch, as all times here. */
  readonly startedAt: number;
  #heartbeatAt: number;
  #completed: { readonly at: number; readonly result: LifecycleResult } | undefined;

  constructor(hook: LifecycleHook, token: string, startedAt: number) {
    this.hook = hook;
    this.token = token;
    this.startedAt = startedAt;
    this.#heartbeatAt = startedAt;
  }

  get endsAt(): number {
    const timeoutAt = this.#heartbeatAt + this.hook.heartbeatTimeoutSeconds * 1_000;
    return this.#completed?.at ?? Math.min(timeoutAt, this.startedAt + globalTimeoutSeconds(this.hook) * 1_000);
  }

  get result(): LifecycleResult {
    return this.#completed?.result ?? this.hook.defaultResult;
  }

  heartbeat(now: number): void {
    this.#heartbeatAt = now;
  }

  complete(result: LifecycleResult, now: number): void {
    this.#completed ??= { at: now, result };
  }
}
