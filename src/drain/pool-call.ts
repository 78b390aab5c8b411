import { anyOf, newAbort, WOKEN } from "./abort.ts";
import type { Departure } from "./departure.ts";

/** One call to a pool on behalf of departures. Once all of them have left nobody waits for it, and it is given up. */
export class PoolCall {
  /** Those that are here still. */
  readonly departures = new Set<Departure>();
  readonly signal: AbortSignal;
  readonly #abort = newAbort();

  constructor(signal: AbortSignal, departures: Iterable<Departure> = []) {
    this.signal = anyOf(signal, this.#abort.signal);
    this.take(departures);
  }

  get isGivenUp(): boolean {
    return this.#abort.signal.aborted;
  }

  take(departures: Iterable<Departure>): void {
    for (const departure of departures) this.departures.add(departure);
  }

  /** See `CallFor`. */
  readonly stillTaken = () => new Set([...this.departures].map(({ registration }) => registration.target));

  left(departure: Departure): void {
    if (this.departures.delete(departure) && this.departures.size === 0) this.giveUp();
  }

  giveUp(): void {
    this.#abort.abort(WOKEN);
  }
}
