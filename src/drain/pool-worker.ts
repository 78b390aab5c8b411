import { newAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Pool, PoolTerms, RegistrationState } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { type HeldBy, type HoldAllowances, judge, nextLook, REPEAT_MS } from "./hold.ts";
import { VANISHED_TERMS } from "./plan.ts";
import { PoolUrgency } from "./pool-urgency.ts";

export interface PoolWorkerOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly allowances: HoldAllowances;
}

type Task = "describing" | "deregistering" | "looking";

/**
 * Takes registrations out of one pool on behalf of every drain: one call for all that wait to be deregistered, one look
 * for all that are held. Whoever hands it departures hears from them how they fare.
 */
export class PoolWorker {
  readonly #pool: Pool;
  readonly #options: PoolWorkerOptions;
  readonly #urgency: PoolUrgency;
  /** All that are here: `#waiting`, `#held`, and those whose call is under way. */
  readonly #departures = new Set<Departure>();
  readonly #waiting = new Set<Departure>();
  readonly #held = new Set<Departure>();
  /** When each departure whose last look failed is due again. */
  readonly #repeats = new Map<Departure, number>();
  #terms: PoolTerms | undefined;
  /** Aborts when nobody is here any more. */
  #present = newAbort();
  #busy = new Set<Task>();
  #wake = newAbort();

  constructor(pool: Pool, options: PoolWorkerOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#urgency = new PoolUrgency(pool.kind, options.clock);
  }

  get isIdle(): boolean {
    return this.#departures.size === 0;
  }

  /** Takes them out, side by side with all others that are here. */
  add(departures: readonly Departure[]): void {
    for (const departure of departures) {
      this.#departures.add(departure);
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
      .catch((error: unknown) => signal.aborted || this.#fail(this.#departures, asDrainError(error)))
      .finally(() => {
        busy.delete(task);
        // What came while it was ending.
        if (!signal.aborted) this.#keepWorking();
      });
  }

  async #describe(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    while (this.#terms === undefined) {
      try {
        this.#terms = (await cloud.describe(this.#pool, this.#callFor("describe", signal))) ?? VANISHED_TERMS;
      } catch (error) {
        signal.throwIfAborted();
        const failure = asDrainError(error);
        if (!failure.isPassing) return this.#fail(this.#departures, failure);
        for (const departure of this.#held) departure.failedForNow("look-failed", failure);
        await clock.sleep(REPEAT_MS, signal);
      }
    }
    for (const departure of this.#departures) departure.described(this.#terms);
    this.#keepWorking();
  }

  async #deregisterWaiting(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    while (this.#waiting.size > 0) {
      const batch: Departure[] = [];
      const take = (max: number) => {
        const taken = this.#urgency.inOrder(this.#waiting).slice(0, max);
        for (const departure of taken) this.#waiting.delete(departure);
        this.#urgency.changed();
        batch.push(...taken);
        return taken.map(({ registration }) => registration);
      };
      try {
        await cloud.deregister(this.#pool, take, this.#callFor("deregister", signal));
        for (const departure of batch) if (this.#departures.has(departure)) this.#accepted(departure);
        this.#keepWorking();
      } catch (error) {
        signal.throwIfAborted();
        const failure = asDrainError(error);
        const refused = batch.length === 0 ? [...this.#waiting] : batch;
        if (!failure.isPassing) this.#fail(refused, failure);
        else await this.#tryLater(refused, failure, clock.sleep(REPEAT_MS, signal));
      }
    }
  }

  async #tryLater(refused: readonly Departure[], failure: DrainError, later: Promise<void>): Promise<void> {
    for (const departure of refused) {
      if (!this.#departures.has(departure)) continue;
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
    while (this.#held.size > 0) {
      await this.#untilNextLook(signal);
      await this.#look(signal);
    }
  }

  async #untilNextLook(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      this.#wake = newAbort();
      const { signal: woken } = this.#wake;
      let dueAt = Number.POSITIVE_INFINITY;
      for (const departure of this.#held) dueAt = Math.min(dueAt, this.#dueAt(departure));
      if (dueAt <= clock.now() || this.#held.size === 0) return;
      const left = () => this.#wake.abort(WOKEN);
      signal.addEventListener("abort", left, { once: true });
      // Node's timers may be a millisecond early, and somebody who has come may be due earlier: asked again.
      await clock.sleep(dueAt - clock.now(), woken).catch(() => {});
      signal.removeEventListener("abort", left);
      signal.throwIfAborted();
    }
  }

  #dueAt(departure: Departure): number {
    const repeat = this.#repeats.get(departure);
    if (repeat !== undefined) return repeat;
    const { progress } = departure;
    return progress === undefined
      ? this.#options.clock.now()
      : nextLook(this.#heldBy, progress, this.#options.allowances);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    const departures = [...this.#held];
    if (departures.length === 0) return;
    const at = clock.now();
    try {
      const registrations = departures.map(({ registration }) => registration);
      const states = await cloud.observe(this.#pool, registrations, this.#callFor("look", signal));
      for (const departure of departures) {
        if (!this.#held.has(departure)) continue;
        this.#repeats.delete(departure);
        const state = states.get(departure.registration.target) ?? "absent";
        const verdict = this.#apply(departure, { state, at });
        if (verdict === "wait") continue;
        if (!(await this.#isStillOwned(departure, signal))) this.#apply(departure, { state: "absent", at });
        else if (departure.again(verdict, clock.now())) this.#waitAgain(departure);
      }
    } catch (error) {
      signal.throwIfAborted();
      for (const departure of departures) {
        if (!this.#held.has(departure)) continue;
        this.#repeats.set(departure, clock.now() + REPEAT_MS);
        departure.failedForNow("look-failed", asDrainError(error));
      }
    }
    for (const departure of departures) if (departure.isOver) this.#leave(departure);
    if (this.#waiting.size > 0) this.#keepWorking();
  }

  #waitAgain(departure: Departure): void {
    this.#held.delete(departure);
    this.#waiting.add(departure);
    this.#urgency.changed();
  }

  /** Takes down what a look has seen. What is left to be done: to wait, or to deregister it again. */
  #apply(departure: Departure, look: { readonly state: RegistrationState; readonly at: number }) {
    const { clock, allowances } = this.#options;
    const { progress } = departure;
    // Deregistered again while the look was under way: what it saw is from before.
    if (progress === undefined || progress.since > look.at) return "wait";
    const verdict = judge(this.#heldBy, progress, look, allowances);
    departure.looked(look.at, look.state);
    switch (verdict) {
      case "over":
        departure.released(clock.now());
        return "wait";
      case "anew":
        departure.heldAnew(look.at);
        return "wait";
      case "wait":
      case "back":
      case "ignored":
        return verdict;
      default:
        return verdict satisfies never;
    }
  }

  async #isStillOwned({ owner, registration }: Departure, signal: AbortSignal): Promise<boolean> {
    const owned = await this.#options.cloud.stillOwned(owner.node, [registration], this.#callFor("look", signal));
    return owned.length > 0;
  }

  #fail(departures: Iterable<Departure>, failure: DrainError): void {
    for (const departure of [...departures]) {
      if (!this.#departures.has(departure)) continue;
      this.#leave(departure);
      departure.failed(failure, this.#options.clock.now());
    }
  }

  #leave(departure: Departure): void {
    this.#departures.delete(departure);
    this.#held.delete(departure);
    this.#repeats.delete(departure);
    if (this.#waiting.delete(departure)) this.#urgency.changed();
    if (!this.isIdle || this.#present.signal.aborted) return;
    this.#present.abort(new Error("nobody is here any more"));
    this.#present = newAbort();
    this.#busy = new Set();
  }

  get #heldBy(): HeldBy {
    return { kind: this.#pool.kind, drainMs: (this.#terms ?? VANISHED_TERMS).drainMs };
  }

  #callFor(purpose: "describe" | "deregister" | "look", signal: AbortSignal): CallFor {
    const about = purpose === "deregister" ? this.#waiting : this.#departures;
    return { urgency: () => this.#urgency.of(purpose, about), signal };
  }
}
