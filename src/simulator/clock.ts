/** The simulator's time. It has the shape of the engine's clock, so that one clock can be used for both. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves `ms` later; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Resolves in a later turn of the event loop. */
  turn(): Promise<void>;
}

const TIMER_MAX_MS = 2 ** 31 - 1;

/** A sleeper of a scaled clock. */
interface Timed {
  readonly wakeAt: number;
  /** Waits for the rest of its time at the current speed, or wakes up. */
  readonly wait: () => void;
}

/** Runs `speed` times as fast as the wall clock. With 1 it is the wall clock, until its speed is changed. */
export class ScaledClock implements Clock {
  #speed: number;
  /** The time at `#started`, when the current speed began. */
  #origin = Date.now();
  #started = performance.now();
  readonly #sleepers = new Set<Timed>();
  /** Resolves when the advances so far have ended. */
  #advanced = Promise.resolve();

  constructor(speed: number) {
    if (!(speed > 0 && Number.isFinite(speed))) throw new RangeError(`speed must be a positive number, not ${speed}`);
    this.#speed = speed;
  }

  get speed(): number {
    return this.#speed;
  }

  /** From now on, also for those who sleep already. With 0 time stands still. */
  setSpeed(speed: number): void {
    if (!(speed >= 0 && Number.isFinite(speed))) throw new RangeError(`speed must be 0 or more, not ${speed}`);
    // Where time stands still it is whole, so that many small advances come to the same moments as a large one.
    this.#beginAgainAt(speed === 0 ? Math.ceil(this.now()) : this.now());
    this.#speed = speed;
    this.#waitAgain();
  }

  /**
   * Lets `ms` pass at once, and resolves when they have. Time moves from sleeper to sleeper: each wakes up at its moment, and
   * what follows from it counts from there, as if time had passed by itself. An advance begins when the one before has ended.
   */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) throw new RangeError(`time can't be advanced by ${ms} ms`);
    this.#advanced = this.#advanced.then(() => this.#advanceTo(this.now() + ms));
    return this.#advanced;
  }

  async #advanceTo(until: number): Promise<void> {
    for (;;) {
      // The code that woke up goes on, and may sleep again until a moment that comes before the next one.
      await this.turn();
      const next = this.#firstSleeper();
      if (next === undefined || next.wakeAt > until) break;
      this.#beginAgainAt(Math.max(this.now(), next.wakeAt));
      next.wait();
    }
    this.#beginAgainAt(Math.max(this.now(), until));
    this.#waitAgain();
  }

  /** Of several with the same moment, the one that has slept longest. */
  #firstSleeper(): Timed | undefined {
    let first: Timed | undefined;
    for (const sleeper of this.#sleepers) if (first === undefined || sleeper.wakeAt < first.wakeAt) first = sleeper;
    return first;
  }

  now(): number {
    return this.#origin + (performance.now() - this.#started) * this.#speed;
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      let timer: NodeJS.Timeout | undefined;
      const stop = () => {
        clearTimeout(timer);
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      };
      // Timers fire up to a millisecond early, which is much at a high speed, and can't be set for months.
      const wait = () => {
        clearTimeout(timer);
        const rest = sleeper.wakeAt - this.now();
        if (rest > 0) {
          const restMs = Math.min(Math.ceil(rest / this.#speed), TIMER_MAX_MS);
          if (this.#speed > 0) timer = setTimeout(wait, restMs);
          return;
        }
        this.#sleepers.delete(sleeper);
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const sleeper: Timed = { wakeAt: this.now() + ms, wait };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", stop, { once: true });
      wait();
    });
  }

  #beginAgainAt(now: number): void {
    this.#origin = now;
    this.#started = performance.now();
  }

  #waitAgain(): void {
    for (const { wait } of [...this.#sleepers].sort((a, b) => a.wakeAt - b.wakeAt)) wait();
  }
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** After this many turns of the event loop without a wake-up, everything in this process only waits for time. */
const QUIET_TURNS = 12;

/** Time that stands still until `run` or `advance` moves it: hours pass in milliseconds, always in the same order. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #startedAt: number;
  readonly #quietTurns: number;
  #sleepers: Sleeper[] = [];
  /** Work in progress outside this process. */
  readonly #outside = new Set<Promise<unknown>>();

  /** `quietTurns`: 1 is sufficient without reads from a socket, a file or a stream. */
  constructor(startedAt = Date.UTC(2026, 0, 1), quietTurns = QUIET_TURNS) {
    this.#now = startedAt;
    this.#startedAt = startedAt;
    this.#quietTurns = quietTurns;
  }

  now(): number {
    return this.#now;
  }

  get elapsedMs(): number {
    return this.#now - this.#startedAt;
  }

  /** The number of sleepers. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** At once, because time might pass in a real turn. */
  turn(): Promise<void> {
    return Promise.resolve();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const stop = () => {
        const at = this.#sleepers.indexOf(
          sleeper,
          this.#placeOf((other) => other.at >= sleeper.at),
        );
        if (at >= 0) this.#sleepers.splice(at, 1);
        reject(signal.reason);
      };
      const sleeper: Sleeper = {
        at: this.#now + Math.max(0, ms),
        wake: () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
      };
      this.#sleepers.splice(
        this.#placeOf((other) => other.at > sleeper.at),
        0,
        sleeper,
      );
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  /**
   * Keeps time from passing until `work` has settled, and returns its result. For work of another process, during which
   * this process looks idle.
   */
  async outside<T>(work: Promise<T>): Promise<T> {
    this.#outside.add(work);
    try {
      return await work;
    } finally {
      this.#outside.delete(work);
    }
  }

  /** Lets time pass until `work` is done. Rejects if `work` waits for something other than time. */
  async run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finished = () => {
      done = true;
    };
    work.then(finished, finished);
    for (;;) {
      await this.#quiet();
      if (done) return work;
      if (!this.#wakeNext(Number.POSITIVE_INFINITY)) throw new Error("the work waits for something that is not time");
    }
  }

  /** Lets `ms` pass, and wakes the sleepers that are due meanwhile. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    do await this.#quiet();
    while (this.#wakeNext(until));
    this.#now = until;
    await this.#quiet();
  }

  /**
   * The index of the first sleeper for which `isSo` holds. It must hold for all after it. Thousands may sleep at once.
   */
  #placeOf(isSo: (sleeper: Sleeper) => boolean): number {
    let [low, high] = [0, this.#sleepers.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isSo(this.#sleepers[middle] as Sleeper)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Resolves when everything only waits for time, here and outside. */
  async #quiet(): Promise<void> {
    for (;;) {
      await quiet(this.#quietTurns);
      if (this.#outside.size === 0) return;
      await Promise.race(this.#outside).catch(() => {}); // Its result is for the caller that awaits it.
    }
  }

  #wakeNext(until: number): boolean {
    const next = this.#sleepers[0];
    if (next === undefined || next.at > until) return false;
    this.#sleepers.shift();
    this.#now = Math.max(this.#now, next.at);
    next.wake();
    return true;
  }
}

async function quiet(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
