/** How a load balancer checks a target. */
export interface HealthCheck {
  readonly intervalMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** Whether a process answers, and since when (milliseconds since the epoch). */
export interface Answering {
  readonly up: boolean;
  readonly since: number;
}

/** Processes outside the simulation (addresses that belong to no instance) always answer. */
export const ALWAYS_UP: Answering = { up: true, since: Number.NEGATIVE_INFINITY };

export type HealthState = "initial" | "healthy" | "unhealthy";

/**
 * What a load balancer thinks of one target. Nothing runs in the background: the state follows from how long the
 * process has answered or not. So `catchUp` must be called before a process changes, and before the state is read.
 */
export class Health {
  #state: HealthState;
  #since = Number.NEGATIVE_INFINITY;
  #checkedSince = Number.NEGATIVE_INFINITY;

  constructor(state: HealthState = "initial") {
    this.#state = state;
  }

  /** Since when the state is what `catchUp` answered last, in milliseconds since the epoch. */
  get since(): number {
    return this.#since;
  }

  /** Since when it is unhealthy, or when it will be if nothing changes. Infinity: its checks succeed. */
  failsAt(answering: Answering, check: HealthCheck): number {
    if (this.#state === "unhealthy") return this.#since;
    if (answering.up) return Number.POSITIVE_INFINITY;
    return Math.max(answering.since, this.#checkedSince) + check.unhealthyThreshold * check.intervalMs;
  }

  /**
   * The state at `now`, of a target whose checks began at `checkedSince`. A new target needs one good check only, and so
   * does one whose checks have begun again.
   */
  catchUp(now: number, answering: Answering, check: HealthCheck, checkedSince: number): HealthState {
    if (checkedSince > this.#checkedSince) {
      this.#checkedSince = checkedSince;
      this.#state = "initial";
    }
    const since = Math.max(answering.since, checkedSince);
    const goodChecks = this.#state === "initial" ? 1 : check.healthyThreshold;
    const needed = answering.up ? goodChecks : check.unhealthyThreshold;
    const judgedAt = since + needed * check.intervalMs;
    const judged = answering.up ? "healthy" : "unhealthy";
    if (now >= judgedAt && judged !== this.#state) {
      this.#state = judged;
      this.#since = judgedAt;
    }
    return this.#state;
  }
}

/** One time of being registered. A target that was deregistered and registered again has two. */
export interface Spell {
  /** Milliseconds since the epoch, as all times here. */
  readonly registeredAt: number;
  /** While it drains, and after. */
  deregisteredAt: number | undefined;
}

/** What a read that knows the world as it was at `asOf` takes for the target's registration: the newest one by then. */
export function spellAsOf<T extends Spell>(spells: readonly T[], asOf: number): T | undefined {
  return spells.findLast(({ registeredAt }) => registeredAt <= asOf);
}

/** Whether the spell has ended in the eyes of such a read. */
export function hasEndedAsOf({ deregisteredAt }: Spell, asOf: number): boolean {
  return deregisteredAt !== undefined && deregisteredAt <= asOf;
}

/** The first spell of each target that has one. */
export function firsts<T extends Spell>(targets: readonly (readonly T[])[]): readonly T[] {
  return targets.flatMap((spells) => spells.slice(0, 1));
}
