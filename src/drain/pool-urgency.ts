import type { Clock } from "./clock.ts";
import type { LoadBalancerKind } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import { CALL_ORDER } from "./plan.ts";
import type { Purpose, Urgency } from "./urgency.ts";

/** Looking at every departure for each call that waits would be most of the work when thousands leave at once. */
const RECKONED_FOR_MS = 5_000;

/** How urgent the calls to one pool are: as urgent as the most urgent drain that waits for them. */
export class PoolUrgency {
  readonly #kind: LoadBalancerKind;
  readonly #clock: Clock;
  readonly #reckoned = new Map<Purpose, { readonly urgency: Urgency; readonly at: number }>();

  constructor(kind: LoadBalancerKind, clock: Clock) {
    this.#kind = kind;
    this.#clock = clock;
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
    for (const { owner, registration } of departures()) {
      deadline = Math.min(deadline, owner.mustEndBy);
      someHealthy ||= registration.isHealthy;
    }
    const urgency: Urgency = { purpose, deadline, rank: 2 * CALL_ORDER.indexOf(this.#kind) + (someHealthy ? 0 : 1) };
    this.#reckoned.set(purpose, { urgency, at: now });
    return urgency;
  }

  /** Whom to deregister first: by the end of their drains, those with traffic before those without. */
  inOrder(departures: Iterable<Departure>): Departure[] {
    return [...departures].sort(
      (a, b) =>
        compare(a.owner.mustEndBy, b.owner.mustEndBy) ||
        Number(b.registration.isHealthy) - Number(a.registration.isHealthy),
    );
  }
}

/** As a subtraction, but infinities are equal to themselves. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
