import type { Clock } from "../clock.ts";

/** Something in progress whose activity is noted. */
export interface Watched {
  /** Something was sent or received. */
  touch(): void;
  /** It has ended, so that it is not idle any more. */
  end(): void;
}

interface Entry {
  lastAt: number;
  readonly onIdle: () => void;
}

/** Ends what has been silent for too long. One timer serves all. */
export class IdleWatch {
  readonly #clock: Clock;
  readonly #idleMs: () => number;
  readonly #closed: AbortSignal;
  readonly #entries = new Set<Entry>();
  #isWaiting = false;

  /** `idleMs`: called each time, because the load balancer's attribute may change. */
  constructor(clock: Clock, idleMs: () => number, closed: AbortSignal) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#closed = closed;
  }

  /** `onIdle` is called once at most. */
  add(onIdle: () => void): Watched {
    const entry: Entry = { lastAt: this.#clock.now(), onIdle };
    this.#entries.add(entry);
    if (!this.#isWaiting) this.#wait().catch(() => {}); // Closed.
    return {
      touch: () => {
        entry.lastAt = this.#clock.now();
      },
      end: () => void this.#entries.delete(entry),
    };
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    try {
      while (this.#entries.size > 0) await this.#clock.sleep(this.#endIdle(), this.#closed);
    } finally {
      this.#isWaiting = false;
    }
  }

  /** Milliseconds until the next one may be idle. */
  #endIdle(): number {
    const now = this.#clock.now();
    const idleMs = this.#idleMs();
    let nextMs = idleMs;
    for (const entry of this.#entries) {
      const restMs = entry.lastAt + idleMs - now;
      if (restMs > 0) nextMs = Math.min(nextMs, restMs);
      else if (this.#entries.delete(entry)) entry.onIdle();
    }
    return nextMs;
  }
}
