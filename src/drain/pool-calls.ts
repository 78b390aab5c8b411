import { anyOf, newAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { PoolHealth, PoolTerms } from "./cloud-provider.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import { type HoldTerms, mayEndAt, nextPoll, REPEAT_MS } from "./hold.ts";
import { type Purpose, Rises, type Urgency, type Urgent } from "./urgency.ts";

/** How urgent the calls to one pool are, and whom they are for: as urgent as the most urgent drain that waits. */
export class PoolUrgency {
  readonly #callRank: number;
  readonly #turn: number;
  /** Reading every registration for each call that waits would be most of the work when thousands leave at once. */
  readonly #reckoned = new Map<Purpose, Urgency>();
  readonly #rises = new Rises();

  constructor({ callRank }: Pick<PoolTerms, "callRank">, turn: number) {
    this.#callRank = callRank;
    this.#turn = turn;
  }

  /** Fewer wait now: its calls are no more urgent than before. */
  fell(): void {
    this.#reckoned.clear();
  }

  /** Others wait now, or their drains are to end at another time. */
  changed(): void {
    this.fell();
    this.#rises.announce();
  }

  get onRise(): NonNullable<Urgent["onRise"]> {
    return this.#rises.on;
  }

  /** `registrations`: who waits for the call. They are read after a change alone. */
  of(purpose: Purpose, registrations: () => Iterable<DrainingRegistration>): Urgency {
    const known = this.#reckoned.get(purpose);
    if (known !== undefined) return known;
    let deadline = Number.POSITIVE_INFINITY;
    let someHealthy = false;
    let someKnown = false;
    for (const { owner, registration } of registrations()) {
      deadline = Math.min(deadline, owner.mustEndBy);
      someHealthy ||= registration.isHealthy;
      someKnown ||= !owner.isRefused;
    }
    const rank = 2 * this.#callRank + (someHealthy ? 0 : 1);
    // Whom the cloud does not know gets no traffic from it, most likely: no other target is to wait for that.
    const isLast = purpose === "deregister" && !someKnown;
    const urgency: Urgency = { purpose: isLast ? "confirm" : purpose, deadline, rank, turn: this.#turn };
    this.#reckoned.set(purpose, urgency);
    return urgency;
  }

  /**
   * Whom to deregister now: by the end of their drains, those with traffic before those without. A call that names
   * a call with a target that the cloud does not know is refused for all: they wait until they are among themselves.
   */
  batch(registrations: Iterable<DrainingRegistration>, max: number): readonly DrainingRegistration[] {
    const all = [...registrations];
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

export interface PollScheduleOptions {
  readonly clock: Clock;
  /** The pool's. */
  readonly terms: () => HoldTerms;
}

/** Whose poll is due so soon after another one's shares it. */
const SHARED_WITHIN_MS = 1_000;

/** When to poll a pool on behalf of those that it holds. Times are milliseconds since the epoch. */
export class PollSchedule {
  readonly #options: PollScheduleOptions;
  /** When each registration whose last poll failed is due again. */
  readonly #repeats = new Map<DrainingRegistration, number>();

  constructor(options: PollScheduleOptions) {
    this.#options = options;
  }

  /** When the next poll is due. `Infinity`: nothing is held. */
  nextFor(held: Iterable<DrainingRegistration>): number {
    const due = Array.from(held, (draining) => this.#dueAt(draining));
    const first = due.reduce((earliest, at) => Math.min(earliest, at), Number.POSITIVE_INFINITY);
    return due.reduce((last, at) => (at <= first + SHARED_WITHIN_MS ? Math.max(last, at) : last), first);
  }

  /** When a poll may end a wait; before that it only confirms. */
  endsFor(held: Iterable<DrainingRegistration>): number {
    const { terms } = this.#options;
    let at = Number.POSITIVE_INFINITY;
    for (const draining of held) {
      const { progress } = draining;
      const { provenAt = Number.POSITIVE_INFINITY } = progress?.trafficEnd ?? {};
      if (progress !== undefined) at = Math.min(at, provenAt, mayEndAt(terms(), progress));
    }
    return at;
  }

  /**
   * Those that a read of the whole pool, made for another purpose, has shown as draining since they were deregistered and last
   * polled. It ends no wait: a poll that may is always a call, and so is one about what is not plainly on its way out.
   */
  confirmedBy({ at, targets }: Pick<PoolHealth, "at" | "targets">, held: Iterable<DrainingRegistration>) {
    const seen = new Set(targets.filter(({ state }) => state === "draining").map(({ target }) => target));
    return [...held].filter((draining) => {
      const { progress, registration } = draining;
      if (progress === undefined || !seen.has(registration.target)) return false;
      const { since, lastPoll = since, wasAbsent, wasBack } = progress;
      // What is noted of our own deregistration is dated before it: the read is the cloud's word only if it was sent later.
      return at > since && at > lastPoll && at < this.endsFor([draining]) && wasAbsent !== true && wasBack !== true;
    });
  }

  failed(draining: DrainingRegistration): void {
    this.#repeats.set(draining, this.#options.clock.now() + REPEAT_MS);
  }

  /** It was polled, or has left. */
  done(draining: DrainingRegistration): void {
    this.#repeats.delete(draining);
  }

  #dueAt(draining: DrainingRegistration): number {
    const { clock, terms } = this.#options;
    const { progress } = draining;
    return this.#repeats.get(draining) ?? (progress === undefined ? clock.now() : nextPoll(terms(), progress));
  }
}

/** One call to a pool on behalf of registrations. Once all of them have left, no caller waits for it, and it is given up. */
export class PoolCall {
  /** Those that are here still. */
  readonly registrations = new Set<DrainingRegistration>();
  readonly signal: AbortSignal;
  readonly #abort = newAbort();

  constructor(signal: AbortSignal, registrations: Iterable<DrainingRegistration> = []) {
    this.signal = anyOf(signal, this.#abort.signal);
    this.take(registrations);
  }

  get isGivenUp(): boolean {
    return this.#abort.signal.aborted;
  }

  take(registrations: Iterable<DrainingRegistration>): void {
    for (const draining of registrations) this.registrations.add(draining);
  }

  /** See `CallFor`. */
  readonly stillIncluded = () => new Set([...this.registrations].map(({ registration }) => registration.target));

  remove(draining: DrainingRegistration): void {
    if (this.registrations.delete(draining) && this.registrations.size === 0) this.giveUp();
  }

  giveUp(): void {
    this.#abort.abort(WOKEN);
  }
}
