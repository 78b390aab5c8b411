import type { Clock } from "../clock.ts";

/** Each load balancer has this many machines, which learn of a change one after the other. */
export const MACHINES = 2;

/** How a request or flow is broken off on its way. */
export type Cut =
  /** The load balancer closes it at once. */
  | "closed"
  /** The load balancer sends what comes from now on to another target. */
  | "moved"
  /** The load balancer answers the next TCP packet with a reset. Other protocols do not notice. */
  | "reset-when-used"
  /** The machine has lost its power, or the load balancer drops what is sent: nothing comes back, not even a refusal. */
  | "silent";

/** Registers something on its way. `onCut` may be called several times. Returns what is to be called when it is over. */
export type Enter = (onCut: (cut: Cut) => void) => () => void;

interface Passage {
  readonly machine: number;
  /** The program that it goes to. Undefined: its machine is gone. */
  readonly port: number | undefined;
  readonly onCut: (cut: Cut) => void;
}

/** What is on its way, by the registration that it goes through. */
export class Passages {
  readonly #clock: Clock;
  readonly #closed: AbortSignal;
  readonly #all = new Map<string, Set<Passage>>();
  /** The last reason to cut what goes through each registration: one that was undone and repeated begins again. */
  readonly #reasons = new Map<string, symbol>();

  constructor(clock: Clock, closed: AbortSignal) {
    this.#clock = clock;
    this.#closed = closed;
  }

  /** `machine`: of the load balancer, that it came in by. */
  enter(through: string, passage: Passage): () => void {
    const passages = this.#all.get(through) ?? new Set();
    passages.add(passage);
    this.#all.set(through, passages);
    return () => void passages.delete(passage);
  }

  /** `machine`: only what this one carries. */
  cut(through: string, how: Cut, machine?: number): void {
    for (const passage of [...(this.#all.get(through) ?? [])])
      if (machine === undefined || passage.machine === machine) passage.onCut(how);
  }

  /** Nothing comes back from the program any more. */
  silence(port: number): void {
    for (const passages of this.#all.values())
      for (const passage of [...passages]) if (passage.port === port) passage.onCut("silent");
  }

  /** Cuts what each machine still has on its way when it is due, unless that is void by then. */
  cutLater(
    through: string,
    { how, dueAt, isVoid }: { how: Cut; dueAt: (machine: number) => number; isVoid: () => boolean },
  ): void {
    const reason = Symbol(through);
    this.#reasons.set(through, reason);
    for (let machine = 0; machine < MACHINES; machine++) {
      this.#clock.sleep(dueAt(machine) - this.#clock.now(), this.#closed).then(
        () => {
          if (!isVoid() && this.#reasons.get(through) === reason) this.cut(through, how, machine);
        },
        () => {}, // Closed.
      );
    }
  }
}
