import type { Clock } from "./clock.ts";

/** The number of registrations whose work is done in one turn of the event loop. Each takes 10 to 30 µs. */
const PER_TURN_MAX = 250;

interface Waiting {
  readonly registrations: number;
  readonly begin: () => void;
}

/**
 * Divides the work that becomes due for many drains at the same moment over turns of the event loop, so that probes and
 * requests are answered in between. One read ends the search of hundreds, and one poll their holds. The order is first
 * come, first served.
 */
export class WorkTurns {
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #remaining = PER_TURN_MAX;
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Resolves when the work of this number of registrations may be done: at once, or in a later turn. The work is not
   * divided: if it is more than the share of one turn, nothing begins in the next turns.
   */
  async next(registrations: number): Promise<void> {
    this.#schedule();
    if (this.#remaining > 0 && this.#waiting.length === 0) this.#remaining -= registrations;
    else await new Promise<void>((begin) => this.#waiting.push({ registrations, begin }));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    void this.#clock.turn().then(() => this.#begin());
  }

  #begin(): void {
    this.#isScheduled = false;
    this.#remaining = Math.min(this.#remaining + PER_TURN_MAX, PER_TURN_MAX);
    let begun = 0;
    for (const { registrations, begin } of this.#waiting) {
      if (this.#remaining <= 0) break;
      this.#remaining -= registrations;
      begun += 1;
      begin();
    }
    this.#waiting.splice(0, begun);
    if (this.#waiting.length > 0 || this.#remaining <= 0) this.#schedule();
  }
}
