import { useOf } from "./cloud-provider.ts";
import type { DrainRun } from "./drain-run.ts";
import { byPool, type DrainingRegistration } from "./draining-registration.ts";
import { PoolWorker, type PoolWorkerOptions } from "./pool-worker.ts";

/**
 * The workers of all pools that nodes leave: one for each pool, as long as it has work. A pool that another kind of
 * load balancer has begun to use has two, because what was found before is held by the earlier terms.
 */
export class PoolWorkers {
  readonly #options: Omit<PoolWorkerOptions, "begun">;
  /** By `useOf` of the pool. */
  readonly #workers = new Map<string, PoolWorker>();
  #begun = 0;

  constructor(options: Omit<PoolWorkerOptions, "begun">) {
    this.#options = options;
  }

  /**
   * Starts in all pools at once. From then on each pool is held by its own terms, and a slow or refusing pool delays no
   * other.
   */
  deregister(registrations: readonly DrainingRegistration[]): void {
    for (const [pool, leaving] of byPool(registrations)) {
      const use = useOf(pool);
      const worker = this.#workers.get(use) ?? new PoolWorker(pool, { ...this.#options, begun: ++this.#begun });
      this.#workers.set(use, worker);
      worker.add(leaving);
    }
  }

  /** The urgency of the drain has changed. */
  urgencyChanged({ registrations }: DrainRun): void {
    for (const { registration } of registrations) this.#workers.get(useOf(registration.pool))?.urgencyChanged();
  }

  /** The hold of the registration may end now. */
  lookAgain({ registration }: DrainingRegistration): void {
    this.#workers.get(useOf(registration.pool))?.lookAgain();
  }

  /** Stops all work for the drain. */
  release({ registrations }: DrainRun): void {
    for (const [pool, leaving] of byPool(registrations)) {
      const worker = this.#workers.get(useOf(pool));
      worker?.drop(leaving);
      if (worker?.isIdle === true) this.#workers.delete(useOf(pool));
    }
  }
}
