import { useOf } from "./cloud-provider.ts";
import type { DrainRun } from "./drain-run.ts";
import { byPool, type DrainingRegistration } from "./draining-registration.ts";
import { PoolWorker, type PoolWorkerOptions } from "./pool-worker.ts";

/**
 * The workers of all pools that nodes leave: one a pool, as long as it has something to do. A pool that another kind of load
 * balancer has taken into use meanwhile has two: what was found before is held by the terms of then.
 */
export class PoolWorkers {
  readonly #options: Omit<PoolWorkerOptions, "begun">;
  /** By `useOf` of the pool. */
  readonly #workers = new Map<string, PoolWorker>();
  #begun = 0;

  constructor(options: Omit<PoolWorkerOptions, "begun">) {
    this.#options = options;
  }

  /** Everywhere at once, and from then on each pool is held by its own rule. A slow or refusing pool delays no other. */
  deregister(registrations: readonly DrainingRegistration[]): void {
    for (const [pool, leaving] of byPool(registrations)) {
      const use = useOf(pool);
      const worker = this.#workers.get(use) ?? new PoolWorker(pool, { ...this.#options, begun: ++this.#begun });
      this.#workers.set(use, worker);
      worker.add(leaving);
    }
  }

  /** They are more urgent now, or less. */
  urgencyChanged({ registrations }: DrainRun): void {
    for (const { registration } of registrations) this.#workers.get(useOf(registration.pool))?.urgencyChanged();
  }

  /** Nothing more is done for them. */
  release({ registrations }: DrainRun): void {
    for (const [pool, leaving] of byPool(registrations)) {
      const worker = this.#workers.get(useOf(pool));
      worker?.drop(leaving);
      if (worker?.isIdle === true) this.#workers.delete(useOf(pool));
    }
  }
}
