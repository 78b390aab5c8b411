const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;

/** An amount of time after which a measurement is given up. */
abstract class TimeLimit {
  readonly #over = new AbortController();
  readonly #limit: Error;
  protected readonly secondsMax: number;

  constructor(secondsMax: number, of: string) {
    this.secondsMax = secondsMax;
    this.#limit = new Error(`given up after ${secondsMax} s of ${of}`);
  }

  /** From here on it counts. */
  abstract begin(): void;

  abstract get seconds(): number;

  /** Aborts when the time is up, or when it has been stopped. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  protected giveUp(): void {
    this.#over.abort(this.#limit);
  }

  /** Ends everything that still waits for the signal. Returns why it took too long, if it did. */
  stop(): Error | undefined {
    this.#over.abort(new Error("the row is over"));
    return this.#over.signal.reason === this.#limit ? this.#limit : undefined;
  }
}

/** Real time. Not bound to any virtual clock, also while timers are (sealed.ts). */
export class WallTime extends TimeLimit {
  #began = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(secondsMax: number) {
    super(secondsMax, "real time");
  }

  begin(): void {
    this.#began = performance.now();
    this.#timer = setTimeout(() => this.giveUp(), this.secondsMax * 1_000);
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1_000;
  }

  override stop(): Error | undefined {
    clearTimeout(this.#timer);
    return super.stop();
  }
}

const LOOK_INTERVAL_MS = 1_000;

/** Processor time of this process, user and system, of all its threads: a busy machine takes no more of it than an idle one. */
export class ProcessorTime extends TimeLimit {
  #began = process.cpuUsage();
  /** Of what is not part of the row. */
  #leftOutMicros = 0;
  #looks: NodeJS.Timeout | undefined;

  constructor(secondsMax: number) {
    super(secondsMax, "processor time");
  }

  begin(): void {
    this.#began = process.cpuUsage();
    this.#leftOutMicros = 0;
    this.#looks = setInterval(() => {
      if (this.seconds > this.secondsMax) this.giveUp();
    }, LOOK_INTERVAL_MS);
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

  override stop(): Error | undefined {
    clearInterval(this.#looks);
    return super.stop();
  }
}

function microsSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}
