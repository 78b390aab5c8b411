import type { Clock } from "./clock.ts";
import type { LoadBalancerKind } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
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
