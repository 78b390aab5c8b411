const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;

/** Real time. Not bound to any virtual clock, also while timers are (sealed.ts). */
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

const LOOK_INTERVAL_MS = 1_000;

/** Processor time of this process, user and system, of all its threads: a busy machine takes no more of it than an idle one. */
export class ProcessorTime {
  #began = process.cpuUsage();
  /** Of what is not part of the row. */
  #leftOutMicros = 0;
  readonly #over = new AbortController();
  readonly #limit: Error;
  readonly #secondsMax: number;
  #looks: NodeJS.Timeout | undefined;

  constructor(secondsMax: number) {
    this.#secondsMax = secondsMax;
    this.#limit = new Error(`given up after ${secondsMax} s of processor time`);
  }

  /** From here on it counts. */
  begin(): void {
    this.#began = process.cpuUsage();
    this.#leftOutMicros = 0;
    this.#looks = setInterval(() => {
      if (this.seconds > this.#secondsMax) this.#over.abort(this.#limit);
    }, LOOK_INTERVAL_MS);
  }

  /** Aborts when the time is up, or when it has been stopped. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get seconds(): number {
    return (microsSince(this.#began) - this.#leftOutMicros) / 1_000_000;
  }

  /** Runs what belongs to the measurement and not to what is measured. */
  leaveOut(work: () => void): void {
    const begun = process.cpuUsage();
    work();
    this.#leftOutMicros += microsSince(begun);
  }

  /** Ends everything that still waits for the signal. Returns why it took too much, if it did. */
  stop(): Error | undefined {
    clearInterval(this.#looks);
    this.#over.abort(new Error("the row is over"));
    return this.#over.signal.reason === this.#limit ? this.#limit : undefined;
  }
}

function microsSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}
