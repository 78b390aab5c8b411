import { LifecycleAction, type LifecycleHook } from "./lifecycle-action.ts";
import type { ActivityStatus } from "./scaling-activity.ts";

export interface ScaleInInput {
  readonly instanceId: string;
  readonly activityId: string;
  readonly startedAt: number;
  /** For each of the group's own pools: returns when the instance has left it, in milliseconds since the epoch. */
  readonly leavesAt: readonly (() => number)[];
  readonly hooks: readonly LifecycleHook[];
  /** The action on the machine when its hooks have ended. Default: it is terminated. */
  readonly then?: WayOut;
  readonly newToken: () => string;
}

/**
 * - `terminate`: the machine is switched off for good.
 * - `terminate-or-retain`: an instance lifecycle policy retains a machine whose hook was abandoned.
 *   https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html
 * - `replace-root-volume`: the machine boots from a new root volume, and returns with the same id.
 *   https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
 */
export type WayOut = "terminate" | "terminate-or-retain" | "replace-root-volume";

/**
 * One instance that leaves its Auto Scaling group, in AWS's order: it leaves the group's own target groups and load
 * balancers, then all terminating hooks wait at the same time, then the machine is switched off.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
 */
export class ScaleIn {
  readonly instanceId: string;
  readonly activityId: string;
  readonly startedAt: number;
  readonly #input: ScaleInInput;
  #actions: readonly LifecycleAction[] | undefined;

  constructor(input: ScaleInInput) {
    this.instanceId = input.instanceId;
    this.activityId = input.activityId;
    this.startedAt = input.startedAt;
    this.#input = input;
  }

  /** Begins the hooks if they are due by `now`. Returns their actions if they began in this call. */
  catchUp(now: number): readonly LifecycleAction[] | undefined {
    const hookedAt = this.#hookedAt();
    if (this.#actions !== undefined || now < hookedAt) return undefined;
    const { hooks, newToken } = this.#input;
    this.#actions = hooks.map((hook) => new LifecycleAction(hook, newToken(), hookedAt));
    return this.#actions;
  }

  /** When its next change is due, as far as is known: its hooks begin, or its machine is switched off. */
  get dueAt(): number {
    return this.#actions === undefined ? this.#hookedAt() : this.#endsAt(this.#actions);
  }

  /** When its machine is switched off. Undefined until its hooks begin. */
  get endsAt(): number | undefined {
    return this.#actions === undefined ? undefined : this.#endsAt(this.#actions);
  }

  get wayOut(): WayOut {
    return this.#input.then ?? "terminate";
  }

  /** Whether a hook was abandoned, so that the machine is retained and no longer terminated. */
  get isRetained(): boolean {
    const { wayOut, endsAt } = this;
    const actions = this.#actions ?? [];
    return (
      wayOut === "terminate-or-retain" &&
      actions.some(({ result, endsAt: at }) => result === "ABANDON" && at === endsAt)
    );
  }

  /** Whether the machine is retained by `now`, so that nothing more happens to it. */
  hasRetainedBy(now: number): boolean {
    return this.isRetained && (this.endsAt ?? now) <= now;
  }

  /** `Terminating:Wait` */
  lifecycleState(now: number): string {
    const { endsAt } = this;
    const state = this.wayOut === "replace-root-volume" ? "ReplacingRootVolume" : "Terminating";
    if (endsAt === undefined || this.#actions?.length === 0) return state;
    if (now < endsAt) return `${state}:Wait`;
    return this.isRetained ? `${state}:Retained` : `${state}:Proceed`;
  }

  /** The status of its activity until it ends. */
  progress(now: number): ActivityStatus {
    if (this.endsAt === undefined) return "WaitingForELBConnectionDraining";
    return this.activeActions(now).length > 0 ? "MidLifecycleAction" : "InProgress";
  }

  /** The actions that may still be completed. */
  activeActions(now: number): readonly LifecycleAction[] {
    const actions = this.#actions ?? [];
    return now < this.#endsAt(actions) ? actions.filter((action) => now < action.endsAt) : [];
  }

  #hookedAt(): number {
    return Math.max(this.startedAt, ...this.#input.leavesAt.map((leavesAt) => leavesAt()));
  }

  /** When all hooks have ended. ABANDON stops the other hooks. CONTINUE lets them finish. */
  #endsAt(actions: readonly LifecycleAction[]): number {
    const abandoned = actions.filter(({ result }) => result === "ABANDON").map(({ endsAt }) => endsAt);
    const last = Math.max(this.#hookedAt(), ...actions.map(({ endsAt }) => endsAt));
    return Math.min(last, ...abandoned);
  }
}
