import { LifecycleAction, type LifecycleHook } from "./lifecycle-action.ts";

export interface ScaleInInput {
  readonly instanceId: string;
  readonly activityId: string;
  readonly startedAt: number;
  /** For each pool of the group's own: when the instance has left it, in milliseconds since the epoch. */
  readonly leavesAt: readonly (() => number)[];
  readonly hooks: readonly LifecycleHook[];
  readonly newToken: () => string;
}

/**
 * One instance on its way out of its Auto Scaling group. AWS's order: it leaves the group's own target groups and load
 * balancers, then every terminating hook waits at the same time, then the machine is switched off.
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

  /** Lets the hooks begin, if they should have by `now`. Answers their actions if they just did. */
  catchUp(now: number): readonly LifecycleAction[] | undefined {
    const hookedAt = this.#hookedAt();
    if (this.#actions !== undefined || now < hookedAt) return undefined;
    const { hooks, newToken } = this.#input;
    this.#actions = hooks.map((hook) => new LifecycleAction(hook, newToken(), hookedAt));
    return this.#actions;
  }

  /** When the next thing happens to it, as far as is known: its hooks begin, or its machine is switched off. */
  get dueAt(): number {
    return this.#actions === undefined ? this.#hookedAt() : this.#endsAt(this.#actions);
  }

  /** When its machine is switched off; undefined while its hooks have not begun. */
  get endsAt(): number | undefined {
    return this.#actions === undefined ? undefined : this.#endsAt(this.#actions);
  }

  lifecycleState(now: number): "Terminating" | "Terminating:Wait" | "Terminating:Proceed" {
    const { endsAt } = this;
    if (endsAt === undefined || this.#actions?.length === 0) return "Terminating";
    return now < endsAt ? "Terminating:Wait" : "Terminating:Proceed";
  }

  /** The actions that may still be completed. */
  activeActions(now: number): readonly LifecycleAction[] {
    const actions = this.#actions ?? [];
    return now < this.#endsAt(actions) ? actions.filter((action) => now < action.endsAt) : [];
  }

  #hookedAt(): number {
    return Math.max(this.startedAt, ...this.#input.leavesAt.map((leavesAt) => leavesAt()));
  }

  /** ABANDON stops the other hooks; CONTINUE lets them finish. Either way the instance is terminated. */
  #endsAt(actions: readonly LifecycleAction[]): number {
    const abandoned = actions.filter(({ result }) => result === "ABANDON").map(({ endsAt }) => endsAt);
    const last = Math.max(this.#hookedAt(), ...actions.map(({ endsAt }) => endsAt));
    return Math.min(last, ...abandoned);
  }
}
