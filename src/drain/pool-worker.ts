import { newAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Pool, PoolTerms } from "./cloud-provider.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { judge, REPEAT_MS } from "./hold.ts";
import { PollSchedule, PoolCall, PoolUrgency } from "./pool-calls.ts";
import type { WorkTurns } from "./work-turns.ts";

export interface PoolWorkerOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  /** Shared with all other pools. */
  readonly turns: WorkTurns;
  /** The position of the pool among all pools whose work has begun. */
  readonly begun: number;
}

type Task = "describing" | "deregistering" | "polling";

/** How long reads of a pool's terms are retried. */
const DESCRIBED_WITHIN_MS = 600_000;

/**
 * Deregisters registrations from one pool for all drains: one call for all that wait, one poll for all that are held.
 * The registrations notify their owner of each change.
 */
export class PoolWorker {
  readonly #pool: Pool;
  readonly #options: PoolWorkerOptions;
  readonly #urgency: PoolUrgency;
  /** Registrations that wait, are held, or are being deregistered. */
  readonly #waiting = new Set<DrainingRegistration>();
  readonly #held = new Set<DrainingRegistration>();
  /** Registrations whose terms were not read since they were added. They are deregistered, but not polled. */
  readonly #undescribed = new Set<DrainingRegistration>();
  readonly #schedule: PollSchedule;
  /** The call in progress, or the last one. */
  #deregistering: PoolCall | undefined;
  #polling: PoolCall | undefined;
  /** Aborts when the worker has no registrations any more. */
  #present = newAbort();
  #busy = new Set<Task>();
  #wake = newAbort();

  constructor(pool: Pool, options: PoolWorkerOptions) {
    this.#pool = pool;
    this.#options = options;
    const { clock, cloud, begun } = options;
    this.#urgency = new PoolUrgency(cloud.termsAfterDelay(pool), begun);
    this.#schedule = new PollSchedule({ clock, terms: (draining) => this.#termsOf(draining) });
  }

  get isIdle(): boolean {
    return this.#waiting.size + this.#held.size + this.#leaving.size === 0;
  }

  /** A drain keeps the terms that it began with, and each drain of the pool has its own. */
  get #pollable(): ReadonlySet<DrainingRegistration> {
    if (this.#undescribed.size === 0) return this.#held;
    return new Set([...this.#held].filter((draining) => !this.#undescribed.has(draining)));
  }

  get #here(): ReadonlySet<DrainingRegistration> {
    return new Set([...this.#waiting, ...this.#leaving, ...this.#held]);
  }

  /** The registrations whose deregistration is in progress, and some that are held since. */
  get #leaving(): ReadonlySet<DrainingRegistration> {
    return this.#deregistering?.registrations ?? new Set();
  }

  readonly #isHere = (draining: DrainingRegistration): boolean =>
    [this.#waiting, this.#leaving, this.#held].some((some) => some.has(draining));

  /** Deregisters them together with all others of the pool. */
  add(registrations: readonly DrainingRegistration[]): void {
    for (const draining of registrations) {
      if (draining.foundDraining) this.#acknowledged(draining);
      else this.#waiting.add(draining);
      this.#undescribed.add(draining);
    }
    this.#urgency.changed();
    this.#startTasks();
  }

  /** The limit of the drain of some of them has changed, or the cloud does not know their node. */
  urgencyChanged(): void {
    this.#urgency.changed();
  }

  /** Their next poll may be due earlier. */
  lookAgain(): void {
    this.#wake.abort(WOKEN);
  }

  /** Stops all work for them. */
  drop(registrations: Iterable<DrainingRegistration>): void {
    for (const draining of registrations) this.#leave(draining);
  }

  /** Starts the pending work that is not running. */
  #startTasks(): void {
    this.#wake.abort(WOKEN);
    this.#startTask("describing", this.#undescribed.size > 0, (signal) => this.#describe(signal));
    this.#startTask("deregistering", this.#waiting.size > 0, (signal) => this.#deregisterWaiting(signal));
    this.#startTask("polling", this.#pollable.size > 0, (signal) => this.#pollUntilIdle(signal));
  }

  #startTask(task: Task, isNeeded: boolean, work: (signal: AbortSignal) => Promise<void>): void {
    const busy = this.#busy;
    if (busy.has(task) || !isNeeded) return;
    busy.add(task);
    const { signal } = this.#present;
    work(signal)
      // A fault of this program must end these drains, and not leave them waiting for ever.
      .catch((error: unknown) => signal.aborted || this.#fail(this.#here, asDrainError(error)))
      .finally(() => {
        busy.delete(task);
        // Registrations that were added while the task was ending.
        if (!signal.aborted) this.#startTasks();
      });
  }

  async #describe(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    let since = clock.now();
    while (this.#undescribed.size > 0) {
      // What is added during the call may have been added after the answer was given.
      const asked = new Set(this.#undescribed);
      try {
        const terms = await cloud.describe(this.#pool, this.#callFor("describe", new PoolCall(signal)));
        signal.throwIfAborted();
        for (const draining of asked)
          if (this.#undescribed.delete(draining)) draining.described(terms ?? cloud.termsAfterDelay(this.#pool));
        since = clock.now();
        this.#startTasks();
      } catch (error) {
        signal.throwIfAborted();
        const failure = asDrainError(error);
        const isLate = clock.now() - since >= DESCRIBED_WITHIN_MS;
        if (!failure.isPassing || isLate) return this.#fail(this.#undescribed, failure);
        for (const draining of this.#undescribed)
          if (this.#held.has(draining)) draining.failedForNow("poll-failed", failure);
        await clock.sleep(REPEAT_MS, signal);
      }
    }
  }

  async #deregisterWaiting(signal: AbortSignal): Promise<void> {
    const { cloud, clock, turns } = this.#options;
    while (this.#waiting.size > 0) {
      const call = new PoolCall(signal);
      this.#deregistering = call;
      this.#urgency.changed();
      const take = (max: number) => {
        const batch = this.#urgency.batch(this.#waiting, max);
        for (const draining of batch) this.#waiting.delete(draining);
        this.#urgency.changed();
        call.take(batch);
        return batch.map(({ registration }) => registration);
      };
      try {
        await cloud.deregister(this.#pool, take, this.#callFor("deregister", call));
        // An answer may arrive when no registration is left. A registration that was added since belongs to another
        // loop.
        signal.throwIfAborted();
        for (const draining of call.registrations) {
          await turns.next(1);
          // The registration may have been dropped meanwhile. The ledger notes its time now, and not when the answer came.
          if (call.registrations.has(draining)) this.#acknowledged(draining);
        }
        signal.throwIfAborted();
        this.#startTasks();
      } catch (error) {
        signal.throwIfAborted();
        if (call.isGivenUp) continue;
        const failure = asDrainError(error);
        const refused = call.registrations.size === 0 ? [...this.#waiting] : [...call.registrations];
        if (!failure.isPassing) this.#fail(refused, failure);
        else await this.#tryLater(refused, failure, clock.sleep(REPEAT_MS, signal));
      }
    }
  }

  async #tryLater(refused: readonly DrainingRegistration[], failure: DrainError, later: Promise<void>): Promise<void> {
    for (const draining of refused.filter(this.#isHere)) {
      draining.failedForNow("deregister-failed", failure);
      this.#waiting.add(draining);
    }
    this.#urgency.changed();
    await later;
  }

  #acknowledged(draining: DrainingRegistration): void {
    this.#held.add(draining);
    draining.acknowledged(this.#options.clock.now());
  }

  async #pollUntilIdle(signal: AbortSignal): Promise<void> {
    for (; this.#pollable.size > 0; await this.#poll(signal)) {
      signal.throwIfAborted();
      await this.#untilNextPoll(signal);
    }
  }

  async #untilNextPoll(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      this.#wake = newAbort();
      const { signal: woken } = this.#wake;
      const dueAt = this.#nextPoll();
      if (dueAt <= clock.now() || this.#pollable.size === 0) return;
      const ended = () => this.#wake.abort(WOKEN);
      signal.addEventListener("abort", ended, { once: true });
      // Node's timers may be a millisecond early, and a registration that was added may be due earlier, so this is
      // computed again.
      await clock.sleep(dueAt - clock.now(), woken).catch(() => {});
      signal.removeEventListener("abort", ended);
      signal.throwIfAborted();
    }
  }

  /** When a call is needed: what only confirms a deregistration may have been read for another purpose. */
  #nextPoll(): number {
    const held = this.#pollable;
    const dueAt = this.#schedule.nextFor(held);
    if (dueAt > this.#options.clock.now()) return dueAt;
    const health = this.#options.cloud.knownHealth(this.#pool);
    if (health === undefined) return dueAt;
    for (const { draining, state } of this.#schedule.confirmedBy(health, held)) {
      draining.polled(health.at, state);
      this.#schedule.done(draining);
    }
    return this.#schedule.nextFor(held);
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { cloud, turns } = this.#options;
    const held = this.#pollable;
    if (held.size === 0) return;
    const call = new PoolCall(signal, held);
    this.#polling = call;
    const which = () => {
      call.take(this.#pollable);
      return [...call.registrations].map(({ registration }) => registration);
    };
    const back: Promise<void>[] = [];
    const answered = newAbort();
    this.#riseAt(this.#schedule.endsFor(held), answered.signal);
    try {
      const { at, states } = await cloud.observe(this.#pool, which, this.#callFor("poll", call));
      for (const draining of call.registrations) {
        await turns.next(1);
        if (!call.registrations.has(draining)) continue;
        this.#schedule.done(draining);
        const state = states.get(draining.registration.target) ?? "absent";
        const verdict = this.#apply(draining, { state, at });
        if (verdict !== "wait") back.push(this.#takeOutAgain(draining, verdict, { at, call }));
      }
    } catch (error) {
      signal.throwIfAborted();
      for (const draining of call.registrations) this.#pollFailed(draining, error);
    } finally {
      answered.abort(WOKEN);
    }
    await Promise.all(back);
    for (const draining of [...call.registrations]) if (draining.isOver) this.#leave(draining);
    if (this.#waiting.size > 0) this.#startTasks();
  }

  /** From that moment on, a poll that still waits for its permit may end a wait. */
  #riseAt(endsAt: number, answered: AbortSignal): void {
    const { clock } = this.#options;
    const ms = endsAt - clock.now();
    if (ms > 0 && Number.isFinite(ms))
      clock.sleep(ms, answered).then(
        () => this.#urgency.changed(),
        () => {},
      );
  }

  async #takeOutAgain(
    draining: DrainingRegistration,
    because: "back" | "ignored",
    { at, call }: { readonly at: number; readonly call: PoolCall },
  ): Promise<void> {
    const { cloud, clock } = this.#options;
    const { owner, registration } = draining;
    try {
      const owned = await cloud.stillOwned(owner.node, [registration], this.#callFor("poll", call));
      // The registration may have been dropped meanwhile.
      if (!this.#held.has(draining)) return;
      if (owned.length === 0) this.#apply(draining, { state: "absent", at, isAnothers: true });
      else if (draining.again(because, clock.now())) {
        this.#held.delete(draining);
        this.#waiting.add(draining);
        this.#urgency.changed();
      }
    } catch (error) {
      if (this.#held.has(draining)) this.#pollFailed(draining, error);
    }
  }

  #pollFailed(draining: DrainingRegistration, error: unknown): void {
    this.#schedule.failed(draining);
    draining.failedForNow("poll-failed", asDrainError(error));
  }

  /** Applies what a poll has seen. Returns what remains to be done: wait, or deregister again. */
  #apply(draining: DrainingRegistration, poll: Parameters<typeof judge>[2]) {
    const { clock } = this.#options;
    const { progress } = draining;
    // The target was deregistered again during the poll, so that the poll shows the state before that.
    if (progress === undefined || progress.since > poll.at) return "wait";
    const verdict = judge(this.#termsOf(draining), progress, poll);
    draining.polled(poll.at, poll.state);
    if (verdict === "back" || verdict === "ignored") return verdict;
    if (verdict === "over" || verdict === "idle") draining.released(clock.now(), { isEarly: verdict === "idle" });
    // Not from the moment of the read, which may be before the deregistration.
    if (verdict === "anew") draining.heldAnew(clock.now());
    return "wait";
  }

  #fail(registrations: Iterable<DrainingRegistration>, failure: DrainError): void {
    for (const draining of [...registrations].filter(this.#isHere)) {
      this.#leave(draining);
      draining.failed(failure, this.#options.clock.now());
    }
  }

  #leave(draining: DrainingRegistration): void {
    this.#undescribed.delete(draining);
    this.#held.delete(draining);
    this.#schedule.done(draining);
    this.#waiting.delete(draining);
    this.#urgency.fell();
    for (const call of [this.#deregistering, this.#polling]) call?.remove(draining);
    if (this.#waiting.size === 0 && this.#deregistering?.registrations.size === 0) this.#deregistering.giveUp();
    if (!this.isIdle || this.#present.signal.aborted) return;
    this.#present.abort(new Error("no registration is present"));
    this.#present = newAbort();
    this.#busy = new Set();
  }

  /** None is polled before its terms were read. */
  #termsOf({ terms }: DrainingRegistration): PoolTerms {
    return terms ?? this.#options.cloud.termsAfterDelay(this.#pool);
  }

  #callFor(purpose: "describe" | "deregister" | "poll", { registrations, signal, stillIncluded }: PoolCall): CallFor {
    const waiting = () => (purpose === "describe" ? this.#undescribed : registrations);
    const about = () =>
      purpose === "poll" ? this.#here : [...waiting(), ...(purpose === "deregister" ? this.#waiting : [])];
    const repeats = (error: DrainError) => {
      for (const draining of waiting()) draining.repeating(error);
    };
    const refuses = (targets: readonly string[]) => {
      for (const { owner, registration } of registrations) {
        if (owner.isRefused || !targets.includes(registration.target)) continue;
        owner.isRefused = true;
        owner.rises.announce();
      }
    };
    // Before that, a poll can't end a wait.
    const endsAt = purpose === "poll" ? this.#schedule.endsFor(this.#held) : 0;
    const urgency = () => this.#urgency.of(this.#options.clock.now() < endsAt ? "confirm" : purpose, about);
    const drains = () => new Set(Array.from(waiting(), ({ owner }) => owner.id));
    return { urgency, onRise: this.#urgency.onRise, signal, repeats, refuses, stillIncluded, drains };
  }
}
