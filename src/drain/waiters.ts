import type { DrainOutcome } from "./outcome.ts";
import { type DrainLimit, type DrainTimes, type LongestHold, type Patience, timeoutLimit } from "./plan.ts";

/** A caller that waits for the outcome of a drain. */
export interface Waiter extends Patience {
  readonly answer: (outcome: DrainOutcome) => void;
}

/**
 * The callers of one drain, by the times at which their timeouts pass. The cost of one more does not depend on their
 * number: thousands may wait for one node.
 */
export class Waiters {
  readonly #times: DrainTimes;
  /** Callers whose timeout is known from the beginning, by its time. */
  readonly #timed = new Ordered<Waiter>((waiter) => timeoutLimit(waiter, this.#times, undefined)?.at ?? 0);
  /** Callers whose timeout follows from the longest hold, by the time of their request, which decides their order. */
  readonly #patient = new Ordered<Waiter>(({ askedAt }) => askedAt);

  constructor(times: DrainTimes) {
    this.#times = times;
  }

  get size(): number {
    return this.#timed.size + this.#patient.size;
  }

  *[Symbol.iterator](): Generator<Waiter> {
    yield* this.#timed;
    yield* this.#patient;
  }

  /** Returns whether its timeout may pass before that of every other caller. */
  add(waiter: Waiter): boolean {
    const list = this.#listOf(waiter);
    list.add(waiter);
    return list.first === waiter;
  }

  /** Returns whether it was waiting. */
  delete(waiter: Waiter): boolean {
    return this.#listOf(waiter).delete(waiter);
  }

  /** When the last timeout passes. Undefined: one of them is not known yet, or there is none. */
  last(hold?: LongestHold): DrainLimit | undefined {
    const patient = this.#limitOf(this.#patient.last, hold);
    if (this.#patient.size > 0 && patient === undefined) return undefined;
    const timed = this.#limitOf(this.#timed.last, hold);
    return patient === undefined || (timed !== undefined && timed.at > patient.at) ? timed : patient;
  }

  /** The caller whose timeout passes next, and when. Undefined: no timeout is known. */
  next(hold?: LongestHold): { readonly waiter: Waiter; readonly limit: DrainLimit } | undefined {
    const [timed, patient] = [this.#nextOf(this.#timed.first, hold), this.#nextOf(this.#patient.first, hold)];
    return timed === undefined || (patient !== undefined && patient.limit.at < timed.limit.at) ? patient : timed;
  }

  #nextOf(waiter: Waiter | undefined, hold: LongestHold | undefined) {
    const limit = this.#limitOf(waiter, hold);
    return waiter && limit && { waiter, limit };
  }

  #limitOf(waiter: Waiter | undefined, hold: LongestHold | undefined): DrainLimit | undefined {
    return waiter && timeoutLimit(waiter, this.#times, hold);
  }

  #listOf(waiter: Waiter): Ordered<Waiter> {
    return timeoutLimit(waiter, this.#times, undefined) === undefined ? this.#patient : this.#timed;
  }
}

/** Items, ordered by a number. Most arrive in that order, and leave from the front. */
class Ordered<T> {
  readonly #numberOf: (item: T) => number;
  /** The items before `#from` were removed. */
  #items: T[] = [];
  #from = 0;

  constructor(numberOf: (item: T) => number) {
    this.#numberOf = numberOf;
  }

  get size(): number {
    return this.#items.length - this.#from;
  }

  get first(): T | undefined {
    return this.#items[this.#from];
  }

  get last(): T | undefined {
    return this.size === 0 ? undefined : this.#items.at(-1);
  }

  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#from; at < this.#items.length; at += 1) yield this.#items[at] as T;
  }

  /** After those with the same number. */
  add(item: T): void {
    const number = this.#numberOf(item);
    this.#items.splice(
      this.#placeOf((known) => known > number),
      0,
      item,
    );
  }

  delete(item: T): boolean {
    const number = this.#numberOf(item);
    const at = this.#items.indexOf(
      item,
      this.#placeOf((known) => known >= number),
    );
    if (at < 0) return false;
    if (at === this.#from) this.#dropFirst();
    else this.#items.splice(at, 1);
    return true;
  }

  #dropFirst(): void {
    this.#from += 1;
    if (2 * this.#from < this.#items.length) return;
    this.#items = this.#items.slice(this.#from);
    this.#from = 0;
  }

  /** The index of the first item for which `isSo` holds. It must hold for all items after it. */
  #placeOf(isSo: (known: number) => boolean): number {
    let [low, high] = [this.#from, this.#items.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isSo(this.#numberOf(this.#items[middle] as T))) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
