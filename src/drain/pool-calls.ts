import { anyOf, newAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { PoolHealth, PoolTerms } from "./cloud-provider.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import { type HoldTerms, mayEndAt, nextPoll, REPEAT_MS } from "./hold.ts";
import { type Purpose, Rises, type Urgency, type Urgent } from "./urgency.ts";

/**
 * How urgent the calls to one pool are, and for which drains they are made. A call is as urgent as the most urgent
 * drain that waits for it.
 */
export class PoolUrgency {
  readonly #callRank: number;
  readonly #turn: number;
  /**
   * When thousands of nodes leave at once, reading every registration for each waiting call would be most of the work.
   */
  readonly #reckoned = new Map<Purpose, Urgency>();
  readonly #rises = new Rises();

  constructor({ callRank }: Pick<PoolTerms, "callRank">, turn: number) {
    this.#callRank = callRank;
    this.#turn = turn;
  }

  /** Fewer registrations wait now, so that the calls are no more urgent than before. */
  fell(): void {
    this.#reckoned.clear();
  }

  /** Other registrations wait now, or the limits of their drains have changed. */
  changed(): void {
    this.fell();
    this.#rises.announce();
  }

  get onRise(): NonNullable<Urgent["onRise"]> {
    return this.#rises.on;
  }

  /** `registrations`: those that wait for the call. They are read only after a change. */
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
    // A node that the cloud does not know gets no traffic, most likely. No other target must wait for its
    // deregistration.
    const isLast = purpose === "deregister" && !someKnown;
    const urgency: Urgency = { purpose: isLast ? "confirm" : purpose, deadline, rank, turn: this.#turn };
    this.#reckoned.set(purpose, urgency);
    return urgency;
  }

  /**
   * The registrations to deregister now: by the limits of their drains, and those with traffic first. A call with a
   * target that the cloud does not know is refused for all targets, so unknown ones wait until only they are left.
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

/** Like a subtraction, except that infinities are equal to themselves. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

export interface PollScheduleOptions {
  readonly clock: Clock;
  /** The terms by which the registration is held. */
  readonly terms: (draining: DrainingRegistration) => HoldTerms;
}

/** Polls that are due within this time share one call. */
const SHARED_WITHIN_MS = 1_000;

/** When to poll a pool for the registrations that it holds. Times are milliseconds since the epoch. */
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

  /** When a poll may end a wait. Before that it only confirms. */
  endsFor(held: Iterable<DrainingRegistration>): number {
    const { terms } = this.#options;
    let at = Number.POSITIVE_INFINITY;
    for (const draining of held) {
      const { progress } = draining;
      const { provenAt = Number.POSITIVE_INFINITY } = progress?.trafficEnd ?? {};
      if (progress !== undefined) at = Math.min(at, provenAt, mayEndAt(terms(draining), progress));
    }
    return at;
  }

  /**
   * Those whose deregistration a read of the whole pool, made for another purpose, confirms, and the state in which it lists
   * them: it was sent since they were deregistered and last polled, and shows them as draining, or not at all. It ends no wait:
   * a poll that may end one is always a call, and so is one about a target that is not plainly on its way out. A confirmation
   * that is left out makes it a minute later that a target is seen that another program has registered again, so it is made
   * where the drain could not hold such a target for its whole time any more.
   */
  *confirmedBy({ at, targets }: Pick<PoolHealth, "at" | "targets">, held: Iterable<DrainingRegistration>) {
    const now = this.#options.clock.now();
    const states = new Map(targets.map(({ target, state }) => [target, state]));
    for (const draining of held) {
      const { progress, registration } = draining;
      const terms = this.#options.terms(draining);
      const state = states.get(registration.target) ?? "absent";
      if (progress === undefined || (state !== "draining" && state !== "absent")) continue;
      const { since, lastPoll = since, wasAbsent, wasBack } = progress;
      // Where absence ends the hold, a list of all targets may lack those that still drain.
      if (state === "absent" && terms.endsWhenAbsentMs !== undefined) continue;
      const wasDeregisteredAgain = state === "draining" && wasAbsent === true;
      // What is noted of our own deregistration is dated before it: the read is the cloud's word only if it was sent later.
      if (at <= since || at <= lastPoll || at >= this.endsFor([draining]) || wasBack === true || wasDeregisteredAgain)
        continue;
      const nextAt = nextPoll(terms, { ...progress, lastPoll: at, seenLeaving: true });
      // A poll that is made in any case confirms more: what a read shows before it can only be contradicted by an older answer.
      if (nextAt > now && nextAt + mayEndAt(terms, progress) - since <= draining.owner.mustEndBy)
        yield { draining, state } as const;
    }
  }

  failed(draining: DrainingRegistration): void {
    this.#repeats.set(draining, this.#options.clock.now() + REPEAT_MS);
  }

  /** The registration was polled, or was dropped. */
  done(draining: DrainingRegistration): void {
    this.#repeats.delete(draining);
  }

  #dueAt(draining: DrainingRegistration): number {
    const { clock, terms } = this.#options;
    const { progress } = draining;
    return this.#repeats.get(draining) ?? (progress === undefined ? clock.now() : nextPoll(terms(draining), progress));
  }
}

/**
 * One call to a pool for registrations. When all of them were dropped, nothing waits for the call, and it is aborted.
 */
export class PoolCall {
  /** The registrations that were not dropped. */
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
