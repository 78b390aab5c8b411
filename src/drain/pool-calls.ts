import { anyOf, newAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { LoadBalancerKind } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import { type HeldBy, type HoldAllowances, mayEndAt, nextLook, REPEAT_MS } from "./hold.ts";
import { CALL_ORDER } from "./plan.ts";
import type { Purpose, Urgency } from "./urgency.ts";

/** Looking at every departure for each call that waits would be most of the work when thousands leave at once. */
const RECKONED_FOR_MS = 5_000;

/** How urgent the calls to one pool are, and whom they are for: as urgent as the most urgent drain that waits. */
export class PoolUrgency {
  readonly #kind: LoadBalancerKind;
  readonly #clock: Clock;
  readonly #turn: number;
  readonly #reckoned = new Map<Purpose, { readonly urgency: Urgency; readonly at: number }>();

  constructor(kind: LoadBalancerKind, clock: Clock, turn: number) {
    this.#kind = kind;
    this.#clock = clock;
    this.#turn = turn;
  }

  /** Others wait now. */
  changed(): void {
    this.#reckoned.clear();
  }

  /** `departures` is asked now and then: who waits for the call. */
  of(purpose: Purpose, departures: () => Iterable<Departure>): Urgency {
    const now = this.#clock.now();
    const known = this.#reckoned.get(purpose);
    if (known !== undefined && Math.abs(now - known.at) < RECKONED_FOR_MS) return known.urgency;
    let deadline = Number.POSITIVE_INFINITY;
    let someHealthy = false;
    let someKnown = false;
    for (const { owner, registration } of departures()) {
      deadline = Math.min(deadline, owner.mustEndBy);
      someHealthy ||= registration.isHealthy;
      someKnown ||= !owner.isRefused;
    }
    const rank = 2 * CALL_ORDER.indexOf(this.#kind) + (someHealthy ? 0 : 1);
    // Whom the cloud does not know gets no traffic from it, most likely: nobody else is to wait for that.
    const isLast = purpose === "deregister" && !someKnown;
    const urgency: Urgency = { purpose: isLast ? "confirm" : purpose, deadline, rank, turn: this.#turn };
    this.#reckoned.set(purpose, { urgency, at: now });
    return urgency;
  }

  /**
   * Whom to deregister now: by the end of their drains, those with traffic before those without. A call that names
   * somebody whom the cloud does not know is refused for all: they wait until they are among themselves.
   */
  batch(departures: Iterable<Departure>, max: number): readonly Departure[] {
    const all = [...departures];
    const known = all.filter(({ owner }) => !owner.isRefused);
    return (known.length > 0 ? known : all)
      .sort(
        (a, b) =>
          compare(a.owner.mustEndBy, b.owner.mustEndBy) ||
          Number(b.registration.isHealthy) - Number(a.registration.isHealthy),
      )
      .slice(0, max);
  }
}

/** As a subtraction, but infinities are equal to themselves. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

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
