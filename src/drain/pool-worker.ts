import { anyOf, newAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CloudProvider, Pool, RegistrationState } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import { asDrainError } from "./errors.ts";
import { type HoldAllowances, judge, nextLook, REPEAT_MS } from "./hold.ts";

export interface PoolWorkerOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly allowances: HoldAllowances;
}

/** Takes registrations out of one pool, and looks at it on behalf of every node that holds on it: one call for all. */
export class PoolWorker {
  readonly #pool: Pool;
  readonly #options: PoolWorkerOptions;
  /** What is held, and how to say that its hold is over. */
  readonly #held = new Map<Departure, () => void>();
  /** When each departure whose last look failed is due again. */
  readonly #repeats = new Map<Departure, number>();
  #looking: AbortController | undefined;
  #wake = newAbort();

  constructor(pool: Pool, options: PoolWorkerOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** Afterwards each departure is holding, or has failed with the reason. Rejects only when `signal` aborts. */
  async deregister(departures: readonly Departure[], signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    const registered = departures.filter(
      (departure) => !departure.isDrainingAlready || departure.progress !== undefined,
    );
    try {
      if (registered.length > 0) {
        await cloud.deregister(
          this.#pool,
          registered.map(({ registration }) => registration),
          signal,
        );
      }
      for (const departure of departures) departure.accepted(clock.now());
    } catch (error) {
      signal.throwIfAborted();
      const failure = asDrainError(error);
      for (const departure of departures) {
        if (registered.includes(departure)) departure.failed(failure, clock.now());
        else departure.accepted(clock.now());
      }
    }
  }

  /** Resolves when the pool has let go of it, or it has failed. Rejects when `signal` aborts. */
  hold(departure: Departure, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (departure.isOver) return resolve();
      if (signal.aborted) return reject(signal.reason);
      const abandon = () => {
        leave();
        reject(signal.reason);
      };
      const leave = () => {
        signal.removeEventListener("abort", abandon);
        this.#held.delete(departure);
        this.#repeats.delete(departure);
        if (this.#held.size === 0) this.#looking?.abort();
      };
      signal.addEventListener("abort", abandon, { once: true });
      this.#held.set(departure, () => {
        leave();
        resolve();
      });
      this.#keepLooking();
    });
  }

  #keepLooking(): void {
    this.#wake.abort();
    if (this.#looking !== undefined && !this.#looking.signal.aborted) return;
    const looking = newAbort();
    this.#looking = looking;
    this.#lookUntilIdle(looking.signal).catch((error: unknown) => {
      if (looking.signal.aborted) return;
      // A fault of ours must end these drains, not leave them waiting for ever.
      for (const [departure, done] of [...this.#held]) {
        departure.failed(asDrainError(error), this.#options.clock.now());
        done();
      }
    });
  }

  async #lookUntilIdle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#untilNextLook(signal);
      await this.#look(signal);
    }
  }

  async #untilNextLook(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      this.#wake = newAbort();
      const woken = this.#wake.signal;
      const waitMs = Math.min(...[...this.#held.keys()].map((departure) => this.#dueAt(departure))) - clock.now();
      if (waitMs <= 0) return;
      try {
        // Node's timers may be a millisecond early: whether it is time is asked again.
        await clock.sleep(waitMs, anyOf(signal, woken));
      } catch (error) {
        signal.throwIfAborted();
        // Another departure has come, which may be due earlier.
        if (!woken.aborted) throw error;
      }
    }
  }

  #dueAt(departure: Departure): number {
    const { allowances, clock } = this.#options;
    const repeat = this.#repeats.get(departure);
    if (repeat !== undefined) return repeat;
    return departure.progress === undefined
      ? clock.now()
      : nextLook(departure.registration.pool, departure.progress, allowances);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    const departures = [...this.#held.keys()];
    const at = clock.now();
    try {
      const registrations = departures.map(({ registration }) => registration);
      const states = await cloud.observe(this.#pool, registrations, signal);
      const toRepeat: Departure[] = [];
      for (const departure of departures) {
        this.#repeats.delete(departure);
        const state = states.get(departure.registration.key) ?? "absent";
        const verdict = this.#apply(departure, { state, at });
        if (verdict === "wait") continue;
        if (!(await this.#isStillOwned(departure, signal))) this.#apply(departure, { state: "absent", at });
        else if (departure.again(verdict, clock.now())) toRepeat.push(departure);
      }
      if (toRepeat.length > 0) await this.deregister(toRepeat, signal);
    } catch (error) {
      signal.throwIfAborted();
      for (const departure of departures) {
        this.#repeats.set(departure, clock.now() + REPEAT_MS);
        departure.lookFailed(asDrainError(error));
      }
    }
    for (const departure of departures) {
      if (departure.isOver) this.#held.get(departure)?.();
    }
  }

  /** Takes down what a look has seen. What is left to be done: to wait, or to deregister it again. */
  #apply(departure: Departure, look: { readonly state: RegistrationState; readonly at: number }) {
    const { clock, allowances } = this.#options;
    const { progress, registration } = departure;
    // Deregistered again while the look was under way: what it saw is from before.
    if (progress === undefined || progress.since > look.at) return "wait";
    const verdict = judge(registration.pool, progress, look, allowances);
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

  async #isStillOwned({ node, registration }: Departure, signal: AbortSignal): Promise<boolean> {
    const owned = await this.#options.cloud.stillOwned(node, [registration], signal);
    return owned.length > 0;
  }
}
