import { newAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Pool, PoolTerms } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { type HeldBy, type HoldAllowances, heldBy, judge, REPEAT_MS } from "./hold.ts";
import { VANISHED_TERMS } from "./plan.ts";
import { LookSchedule, PoolCall, PoolUrgency } from "./pool-calls.ts";

export interface PoolWorkerOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly allowances: HoldAllowances;
  /** The pool's place among all that were begun. */
  readonly turn: number;
}

type Task = "describing" | "deregistering" | "looking";

/** How a pool lets go is asked for so long. */
const DESCRIBED_WITHIN_MS = 600_000;

/**
 * Takes registrations out of one pool on behalf of every drain: one call for all that wait to be deregistered, one look
 * for all that are held. Whoever hands it departures hears from them how they fare.
 */
export class PoolWorker {
  readonly #pool: Pool;
  readonly #options: PoolWorkerOptions;
  readonly #urgency: PoolUrgency;
  /** Whoever is here waits, is held, or has a deregistration under way. */
  readonly #waiting = new Set<Departure>();
  readonly #held = new Set<Departure>();
  readonly #schedule: LookSchedule;
  #terms: PoolTerms | undefined;
  /** The calls under way, or the last ones. */
  #deregistering: PoolCall | undefined;
  #looking: PoolCall | undefined;
  /** Aborts when nobody is here any more. */
  #present = newAbort();
  #busy = new Set<Task>();
  #wake = newAbort();

  constructor(pool: Pool, options: PoolWorkerOptions) {
    this.#pool = pool;
    this.#options = options;
    const { clock, allowances, turn } = options;
    this.#urgency = new PoolUrgency(pool.kind, clock, turn);
    this.#schedule = new LookSchedule({ clock, allowances, heldBy: (departure) => this.#heldBy(departure) });
  }

  get isIdle(): boolean {
    return this.#waiting.size + this.#held.size + this.#leaving.size === 0;
  }

  get #here(): ReadonlySet<Departure> {
    return new Set([...this.#waiting, ...this.#leaving, ...this.#held]);
  }

  /** Those whose deregistration is under way, and some that are held since. */
  get #leaving(): ReadonlySet<Departure> {
    return this.#deregistering?.departures ?? new Set();
  }

  readonly #isHere = (departure: Departure): boolean =>
    [this.#waiting, this.#leaving, this.#held].some((some) => some.has(departure));

  /** Takes them out, side by side with all others that are here. */
  add(departures: readonly Departure[]): void {
    for (const departure of departures) {
      if (departure.foundDraining) this.#accepted(departure);
      else this.#waiting.add(departure);
      if (this.#terms !== undefined) departure.described(this.#terms);
    }
    this.#urgency.changed();
    this.#keepWorking();
  }

  /** Does nothing more for them. */
  drop(departures: Iterable<Departure>): void {
    for (const departure of departures) this.#leave(departure);
  }

  /** Begins what is to be done and is not under way. */
  #keepWorking(): void {
    this.#wake.abort(WOKEN);
    this.#keep("describing", this.#terms === undefined, (signal) => this.#describe(signal));
    this.#keep("deregistering", this.#waiting.size > 0, (signal) => this.#deregisterWaiting(signal));
    this.#keep("looking", this.#held.size > 0 && this.#terms !== undefined, (signal) => this.#lookUntilIdle(signal));
  }

  #keep(task: Task, isNeeded: boolean, work: (signal: AbortSignal) => Promise<void>): void {
    const busy = this.#busy;
    if (busy.has(task) || !isNeeded) return;
    busy.add(task);
    const { signal } = this.#present;
    work(signal)
      // A fault of ours must end these drains, not leave them waiting for ever.
      .catch((error: unknown) => signal.aborted || this.#fail(this.#here, asDrainError(error)))
      .finally(() => {
        busy.delete(task);
        // What came while it was ending.
        if (!signal.aborted) this.#keepWorking();
      });
  }

  async #describe(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    const since = clock.now();
    while (this.#terms === undefined) {
      try {
        const terms = await cloud.describe(this.#pool, this.#callFor("describe", new PoolCall(signal)));
        this.#terms = terms ?? VANISHED_TERMS;
      } catch (error) {
        signal.throwIfAborted();
        const failure = asDrainError(error);
        if (!failure.isPassing || clock.now() - since >= DESCRIBED_WITHIN_MS) return this.#fail(this.#here, failure);
        for (const departure of this.#held) departure.failedForNow("look-failed", failure);
        await clock.sleep(REPEAT_MS, signal);
      }
    }
    for (const departure of this.#here) departure.described(this.#terms);
    this.#keepWorking();
  }

  async #deregisterWaiting(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    while (this.#waiting.size > 0) {
      const call = new PoolCall(signal);
      this.#deregistering = call;
      this.#urgency.changed();
      const take = (max: number) => {
        const taken = this.#urgency.batch(this.#waiting, max);
        for (const departure of taken) this.#waiting.delete(departure);
        this.#urgency.changed();
        call.take(taken);
        return taken.map(({ registration }) => registration);
      };
      try {
        await cloud.deregister(this.#pool, take, this.#callFor("deregister", call));
        // An answer may come although nobody is here to hear it: whoever has come since is not this loop's.
        signal.throwIfAborted();
        for (const departure of call.departures) this.#accepted(departure);
        this.#keepWorking();
      } catch (error) {
        signal.throwIfAborted();
        if (call.isGivenUp) continue;
        const failure = asDrainError(error);
        const refused = call.departures.size === 0 ? [...this.#waiting] : [...call.departures];
        if (!failure.isPassing) this.#fail(refused, failure);
        else await this.#tryLater(refused, failure, clock.sleep(REPEAT_MS, signal));
      }
    }
  }

  async #tryLater(refused: readonly Departure[], failure: DrainError, later: Promise<void>): Promise<void> {
    for (const departure of refused.filter(this.#isHere)) {
      departure.failedForNow("deregister-failed", failure);
      this.#waiting.add(departure);
    }
    this.#urgency.changed();
    await later;
  }

  #accepted(departure: Departure): void {
    this.#held.add(departure);
    departure.accepted(this.#options.clock.now());
  }

  async #lookUntilIdle(signal: AbortSignal): Promise<void> {
    for (; this.#held.size > 0; await this.#look(signal)) {
      signal.throwIfAborted();
      await this.#untilNextLook(signal);
    }
  }

  async #untilNextLook(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      this.#wake = newAbort();
      const { signal: woken } = this.#wake;
      const dueAt = this.#schedule.nextFor(this.#held);
      if (dueAt <= clock.now() || this.#held.size === 0) return;
      const left = () => this.#wake.abort(WOKEN);
      signal.addEventListener("abort", left, { once: true });
      // Node's timers may be a millisecond early, and somebody who has come may be due earlier: asked again.
      await clock.sleep(dueAt - clock.now(), woken).catch(() => {});
      signal.removeEventListener("abort", left);
      signal.throwIfAborted();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { cloud } = this.#options;
    if (this.#held.size === 0) return;
    const call = new PoolCall(signal, this.#held);
    this.#looking = call;
    const which = () => {
      call.take(this.#held);
      return [...call.departures].map(({ registration }) => registration);
    };
    const back: Promise<void>[] = [];
    try {
      const { at, states } = await cloud.observe(this.#pool, which, this.#callFor("look", call));
      for (const departure of call.departures) {
        this.#schedule.done(departure);
        const state = states.get(departure.registration.target) ?? "absent";
        const verdict = this.#apply(departure, { state, at });
        if (verdict !== "wait") back.push(this.#takeOutAgain(departure, verdict, { at, call }));
      }
    } catch (error) {
      signal.throwIfAborted();
      for (const departure of call.departures) this.#lookFailed(departure, error);
    }
    await Promise.all(back);
    for (const departure of [...call.departures]) if (departure.isOver) this.#leave(departure);
    if (this.#waiting.size > 0) this.#keepWorking();
  }

  async #takeOutAgain(
    departure: Departure,
    because: "back" | "ignored",
    { at, call }: { readonly at: number; readonly call: PoolCall },
  ): Promise<void> {
    const { cloud, clock } = this.#options;
    const { owner, registration } = departure;
    try {
      const owned = await cloud.stillOwned(owner.node, [registration], this.#callFor("look", call));
      // It may have left meanwhile.
      if (!this.#held.has(departure)) return;
      if (owned.length === 0) this.#apply(departure, { state: "absent", at, isAnothers: true });
      else if (departure.again(because, clock.now())) {
        this.#held.delete(departure);
        this.#waiting.add(departure);
        this.#urgency.changed();
      }
    } catch (error) {
      if (this.#held.has(departure)) this.#lookFailed(departure, error);
    }
  }

  #lookFailed(departure: Departure, error: unknown): void {
    this.#schedule.failed(departure);
    departure.failedForNow("look-failed", asDrainError(error));
  }

  /** Takes down what a look has seen. What is left to be done: to wait, or to deregister it again. */
  #apply(departure: Departure, look: Parameters<typeof judge>[2]) {
    const { clock, allowances } = this.#options;
    const { progress } = departure;
    // Deregistered again while the look was under way: what it saw is from before.
    if (progress === undefined || progress.since > look.at) return "wait";
    const verdict = judge(this.#heldBy(departure), progress, look, allowances);
    departure.looked(look.at, look.state);
    if (verdict === "back" || verdict === "ignored") return verdict;
    if (verdict === "over") departure.released(clock.now());
    if (verdict === "anew") departure.heldAnew(look.at);
    return "wait";
  }

  #fail(departures: Iterable<Departure>, failure: DrainError): void {
    for (const departure of [...departures].filter(this.#isHere)) {
      this.#leave(departure);
      departure.failed(failure, this.#options.clock.now());
    }
  }

  #leave(departure: Departure): void {
    this.#held.delete(departure);
    this.#schedule.done(departure);
    if (this.#waiting.delete(departure)) this.#urgency.changed();
    for (const call of [this.#deregistering, this.#looking]) call?.left(departure);
    if (this.#waiting.size === 0 && this.#deregistering?.departures.size === 0) this.#deregistering.giveUp();
    if (!this.isIdle || this.#present.signal.aborted) return;
    this.#present.abort(new Error("nobody is here any more"));
    this.#present = newAbort();
    this.#busy = new Set();
  }

  /** By the pool as it was when it was found: a load balancer may have taken a group into use since. */
  #heldBy({ registration }: Departure): HeldBy {
    return heldBy(registration.pool, this.#terms ?? VANISHED_TERMS);
  }

  #callFor(purpose: "describe" | "deregister" | "look", { departures, signal, stillTaken }: PoolCall): CallFor {
    const about = () => (purpose === "deregister" ? [...departures, ...this.#waiting] : this.#here);
    const repeats = (error: DrainError) => {
      for (const departure of purpose === "describe" ? this.#here : departures) departure.repeating(error);
    };
    const refuses = (targets: readonly string[]) => {
      for (const { owner, registration } of departures) owner.isRefused ||= targets.includes(registration.target);
    };
    // Until then a look can't end anybody's wait.
    const endsAt = purpose === "look" ? this.#schedule.endsFor(this.#held) : 0;
    const urgency = () => this.#urgency.of(this.#options.clock.now() < endsAt ? "confirm" : purpose, about);
    return { urgency, signal, repeats, refuses, stillTaken };
  }
}
