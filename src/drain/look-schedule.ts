import type { Clock } from "./clock.ts";
import type { Departure } from "./departure.ts";
import { type HeldBy, type HoldAllowances, mayEndAt, nextLook, REPEAT_MS } from "./hold.ts";

export interface LookScheduleOptions {
  readonly clock: Clock;
  readonly allowances: HoldAllowances;
  /** What a departure's hold goes by. */
  readonly heldBy: (departure: Departure) => HeldBy;
}

/** Whose look is due so soon after another one's shares it. */
const SHARED_WITHIN_MS = 1_000;

/** When to look at a pool on behalf of those that it holds. Times are milliseconds since the epoch. */
export class LookSchedule {
  readonly #options: LookScheduleOptions;
  /** When each departure whose last look failed is due again. */
  readonly #repeats = new Map<Departure, number>();

  constructor(options: LookScheduleOptions) {
    this.#options = options;
  }

  /** When the next look is due. `Infinity`: nobody is held. */
  nextFor(held: Iterable<Departure>): number {
    const due = Array.from(held, (departure) => this.#dueAt(departure));
    const first = due.reduce((earliest, at) => Math.min(earliest, at), Number.POSITIVE_INFINITY);
    return due.reduce((last, at) => (at <= first + SHARED_WITHIN_MS ? Math.max(last, at) : last), first);
  }

  /** When a look may end somebody's wait; before that it only confirms. */
  endsFor(held: Iterable<Departure>): number {
    const { heldBy, allowances } = this.#options;
    let at = Number.POSITIVE_INFINITY;
    for (const departure of held) {
      if (departure.progress !== undefined)
        at = Math.min(at, mayEndAt(heldBy(departure), departure.progress, allowances));
    }
    return at;
  }

  failed(departure: Departure): void {
    this.#repeats.set(departure, this.#options.clock.now() + REPEAT_MS);
  }

  /** It was looked at, or has left. */
  done(departure: Departure): void {
    this.#repeats.delete(departure);
  }

  #dueAt(departure: Departure): number {
    const { clock, allowances, heldBy } = this.#options;
    const { progress } = departure;
    return (
      this.#repeats.get(departure) ??
      (progress === undefined ? clock.now() : nextLook(heldBy(departure), progress, allowances))
    );
  }
}
