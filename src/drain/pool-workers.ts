import type { DrainRun } from "./drain-run.ts";
import { byPool, type DrainingRegistration } from "./draining-registration.ts";
import { PoolWorker, type PoolWorkerOptions } from "./pool-worker.ts";

/** The workers of all pools that nodes leave: one a pool, as long as it has something to do. */
export class PoolWorkers {
  readonly #options: Omit<PoolWorkerOptions, "begun">;
  /** By the pool's id. */
  readonly #workers = new Map<string, PoolWorker>();
  #begun = 0;

  constructor(options: Omit<PoolWorkerOptions, "begun">) {
    this.#options = options;
  }

  /** Everywhere at once, and from then on each pool is held by its own rule. A slow or refusing pool delays no other. */
  deregister(registrations: readonly DrainingRegistration[]): void {
    for (const [pool, leaving] of byPool(registrations)) {
      const worker = this.#workers.get(pool.id) ?? new PoolWorker(pool, { ...this.#options, begun: ++this.#begun });
      this.#workers.set(pool.id, worker);
      worker.add(leaving);
    }
  }

  /** They are more urgent now, or less. */
  urgencyChanged({ registrations }: DrainRun): void {
    for (const { registration } of registrations) this.#workers.get(registration.pool.id)?.urgencyChanged();
  }

  /** Its hold may end now. */
  lookAgain({ registration }: DrainingRegistration): void {
    this.#workers.get(registration.pool.id)?.lookAgain();
  }

  /** Nothing more is done for them. */
  release({ registrations }: DrainRun): void {
    for (const [pool, leaving] of byPool(registrations)) {
      const worker = this.#workers.get(pool.id);
      worker?.drop(leaving);
      if (worker?.isIdle === true) this.#workers.delete(pool.id);
    }
  }
}
