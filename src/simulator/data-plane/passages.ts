import type { Clock } from "../clock.ts";
import type { Target, TargetGroup } from "../world/target-group.ts";
import { type Ending, type Traffic, TrafficCount } from "./traffic.ts";

/** Each load balancer has this many machines, which learn of a change one after the other. */
export const MACHINES = 2;

/** How a request or flow is broken off. */
export type Cut =
  /** The load balancer closes it at once. */
  | "closed"
  /** The load balancer sends further data to another target. */
  | "moved"
  /** The load balancer answers the next TCP packet with a reset. Other protocols do not notice. */
  | "reset-when-used"
  /**
   * The machine has lost its power, or the load balancer drops what is sent: nothing comes back, not even a refusal.
   */
  | "silent";

/**
 * Registers a request or flow. `onCut` may be called several times. The returned function must be called once, when it
 * is over.
 */
export type Enter = (onCut: (cut: Cut) => void) => (ending: Ending) => void;

/** The identity of a target for its load balancer. */
export interface Registration {
  /** The target group's ARN, or the classic load balancer's name. */
  readonly pool: string;
  readonly id: string;
  /** Not of a classic load balancer. */
  readonly port?: number;
  readonly zone?: string | undefined;
}

export interface LaterCut {
  /** Of one registration, a later one replaces an earlier one for the same cause. */
  readonly why: "deregistered" | "unhealthy";
  readonly how: Cut;
  /** Milliseconds since the epoch. */
  readonly dueAt: (machine: number) => number;
  readonly isVoid: () => boolean;
}

interface Passage {
  readonly machine: number;
  /** The port of its program. Undefined: its machine is gone. */
  readonly port: number | undefined;
  readonly onCut: (cut: Cut) => void;
}

/** Requests and flows in progress, by their registrations, and the counts of those that have ended. */
export class Passages {
  readonly #clock: Clock;
  readonly #closed: AbortSignal;
  readonly #all = new Map<string, Set<Passage>>();
  readonly #counts = new Map<string, { readonly of: Registration; readonly count: TrafficCount }>();
  /** The last reason of each kind to cut a registration: one that was undone and repeated begins again. */
  readonly #reasons = new Map<string, symbol>();

  constructor(clock: Clock, closed: AbortSignal) {
    this.#clock = clock;
    this.#closed = closed;
  }

  /** `machine`: the machine of the load balancer by which it came in. */
  enter(through: Registration, passage: Passage): (ending: Ending) => void {
    const key = keyOf(through);
    const passages = this.#all.get(key) ?? new Set();
    this.#all.set(key, passages.add(passage));
    const { count } = this.#counts.get(key) ?? { count: new TrafficCount() };
    this.#counts.set(key, { of: through, count });
    count.began();
    return (ending) => {
      passages.delete(passage);
      count.ended(ending);
    };
  }

  /** Every registration of a pool that has had any traffic, including those that are gone. */
  trafficOf(pool: string): readonly (Registration & { readonly traffic: Traffic })[] {
    const own = [...this.#counts.values()].filter(({ of }) => of.pool === pool);
    return own.map(({ of, count }) => ({ ...of, traffic: count.report() }));
  }

  /** Nothing comes back from the program any more. */
  silence(port: number): void {
    for (const passages of this.#all.values())
      for (const passage of [...passages]) if (passage.port === port) passage.onCut("silent");
  }

  /** Cuts what each machine still carries when it is due, unless that is void by then. */
  cutLater(through: Registration, { why, how, dueAt, isVoid }: LaterCut): void {
    const key = `${why} ${keyOf(through)}`;
    const reason = Symbol(key);
    this.#reasons.set(key, reason);
    for (let machine = 0; machine < MACHINES; machine++) {
      this.#clock.sleep(dueAt(machine) - this.#clock.now(), this.#closed).then(
        () => {
          if (!isVoid() && this.#reasons.get(key) === reason) this.#cut(through, how, machine);
        },
        () => {}, // Closed.
      );
    }
  }

  /** Only what this machine carries. */
  #cut(through: Registration, how: Cut, machine: number): void {
    for (const passage of [...(this.#all.get(keyOf(through)) ?? [])])
      if (passage.machine === machine) passage.onCut(how);
  }
}

export function registrationOf({ arn: pool }: TargetGroup, { id, port, zone }: Target): Registration {
  return { pool, id, port, zone };
}

function keyOf({ pool, id, port = 0, zone = "" }: Registration): string {
  return `${pool} ${id} ${port} ${zone}`;
}
