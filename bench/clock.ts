const { setTimeout, clearTimeout } = globalThis;

/** Real time, for rows that must not take for ever. Not bound to any virtual clock, also while timers are (sealed.ts). */
export class WallTime {
  #began = performance.now();
  readonly #over = new AbortController();
  readonly #limit: Error;
  readonly #secondsMax: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(secondsMax: number) {
    this.#secondsMax = secondsMax;
    this.#limit = new Error(`given up after ${secondsMax} s of real time`);
  }

  /** From here on it counts. */
  begin(): void {
    this.#began = performance.now();
    this.#timer = setTimeout(() => this.#over.abort(this.#limit), this.#secondsMax * 1_000);
  }

  /** Aborts when the time is up, or when it has been stopped. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1_000;
  }

  /** Ends everything that still waits for the signal. Returns why it took too long, if it did. */
  stop(): Error | undefined {
    clearTimeout(this.#timer);
    this.#over.abort(new Error("the row is over"));
    return this.#over.signal.reason === this.#limit ? this.#limit : undefined;
  }
}
