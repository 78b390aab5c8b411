/** The health check settings of a load balancer. */
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
 * The health of one target, as its load balancer sees it. Nothing runs in the background: the state is computed from
 * how long the process has answered or not. So `catchUp` must be called before the process begins or stops answering,
 * and before the state is read.
 */
export class Health {
  #state: HealthState;
  #since = Number.NEGATIVE_INFINITY;
  #checkedSince = Number.NEGATIVE_INFINITY;

  constructor(state: HealthState = "initial") {
    this.#state = state;
  }

  /** When the target became healthy or unhealthy, as of the last `catchUp`, in milliseconds since the epoch. */
  get since(): number {
    return this.#since;
  }

  /** When it became unhealthy, or when it will if nothing changes. Infinity: its checks succeed. */
  failsAt(answering: Answering, check: HealthCheck): number {
    if (this.#state === "unhealthy") return this.#since;
    if (answering.up) return Number.POSITIVE_INFINITY;
    return Math.max(answering.since, this.#checkedSince) + check.unhealthyThreshold * check.intervalMs;
  }

  /**
   * The state at `now` of a target whose checks began at `checkedSince`. A new target needs only one successful check,
   * and so does a target whose checks have begun again.
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

/** One period of registration. A target that was deregistered and registered again has two. */
export interface Spell {
  /** Milliseconds since the epoch, as all times here. */
  readonly registeredAt: number;
  /** Set while it drains, and afterwards. */
  deregisteredAt: number | undefined;
}

/** The registration of a target in a read that shows the world as it was at `asOf`: the newest one at that time. */
export function spellAsOf<T extends Spell>(spells: readonly T[], asOf: number): T | undefined {
  return spells.findLast(({ registeredAt }) => registeredAt <= asOf);
}

/** Whether the target is deregistered in such a read. */
export function hasEndedAsOf({ deregisteredAt }: Spell, asOf: number): boolean {
  return deregisteredAt !== undefined && deregisteredAt <= asOf;
}

/** The first period of each target that has one. */
export function firsts<T extends Spell>(targets: readonly (readonly T[])[]): readonly T[] {
  return targets.flatMap((spells) => spells.slice(0, 1));
}
