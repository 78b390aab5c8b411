/** The simulator's clock. It has the same methods as the engine's clock, so that one clock can serve both. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds. Rejects with the signal's reason as soon as the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Resolves in a later turn of the event loop. */
  turn(): Promise<void>;
}

const TIMER_MAX_MS = 2 ** 31 - 1;

/** One sleep of a scaled clock. */
interface Timed {
  readonly wakeAt: number;
  /** Waits for the remaining time at the current speed. If none remains, the sleep ends. */
  readonly wait: () => void;
}

/**
 * Runs `speed` times as fast as the wall clock. With speed 1 it is the wall clock, until the speed changes. Throws
 * `RangeError` for a negative speed.
 */
export class ScaledClock implements Clock {
  #speed = 1;
  /** The clock's time at `#started`, when the current speed began. */
  #origin = Date.now();
  #started = performance.now();
  readonly #sleepers = new Set<Timed>();
  /** Resolves when all advances so far have ended. */
  #advanced = Promise.resolve();

  constructor(speed: number) {
    this.setSpeed(speed);
  }

  get speed(): number {
    return this.#speed;
  }

  /** Sets the speed from now on, also for sleeps that have already begun. With 0, time stands still. */
  setSpeed(speed: number): void {
    if (!(speed >= 0 && Number.isFinite(speed))) throw new RangeError(`speed must be 0 or more, not ${speed}`);
    // Time that stands still is a whole number of milliseconds, so that many small advances end at the same times as a
    // large one.
    this.#beginAgainAt(speed === 0 ? Math.ceil(this.now()) : this.now());
    this.#speed = speed;
    this.#waitAgain();
  }

  /**
   * Lets `ms` milliseconds pass at once, and resolves when that is done. Time moves from one sleep to the next. Each
   * sleep ends at its own time, and the code that it wakes continues from that time, as if time had passed by itself.
   * An advance begins when the previous one has ended.
   */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) throw new RangeError(`time can't be advanced by ${ms} ms`);
    this.#advanced = this.#advanced.then(() => this.#advanceTo(this.now() + ms));
    return this.#advanced;
  }

  async #advanceTo(until: number): Promise<void> {
    for (;;) {
      // The code that woke up continues, and may begin a sleep that ends before all others.
      await this.turn();
      const next = this.#firstSleeper();
      if (next === undefined || next.wakeAt > until) break;
      this.#beginAgainAt(Math.max(this.now(), next.wakeAt));
      next.wait();
    }
    this.#beginAgainAt(Math.max(this.now(), until));
    this.#waitAgain();
  }

  /** The sleep that ends first. Of several that end at the same time, the one that began first. */
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
      // A timer may fire up to a millisecond early, which is long at a high speed, and it can't be set for months. So
      // the remaining time is checked when the timer fires.
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

/** After this many turns of the event loop without a wake-up, all code in this process waits for time only. */
const QUIET_TURNS = 12;

/**
 * A clock that stands still until `run` or `advance` moves it. Hours pass in milliseconds, always in the same order.
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #startedAt: number;
  readonly #quietTurns: number;
  #sleepers: Sleeper[] = [];
  /** Work in progress outside this process. */
  readonly #outside = new Set<Promise<unknown>>();

  /**
   * `quietTurns`: turns of the event loop before time moves on. 1 is sufficient for code that does not read from a
   * socket, a file or a stream.
   */
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

  /** Resolves at once, because time might pass in a real turn. */
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
      if (!this.#wakeNext(Number.POSITIVE_INFINITY)) throw new Error("the work waits for something other than time");
    }
  }

  /** Lets `ms` milliseconds pass, and wakes the sleepers that are due in that time. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    do await this.#quiet();
    while (this.#wakeNext(until));
    this.#now = until;
    await this.#quiet();
  }

  /**
   * The index of the first sleeper for which `isSo` is true. It must be true for all later sleepers too. The search is
   * binary, because thousands may sleep at once.
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

  /** Resolves when all code, in this process and outside, waits for time only. */
  async #quiet(): Promise<void> {
    for (;;) {
      await quiet(this.#quietTurns);
      if (this.#outside.size === 0) return;
      await Promise.race(this.#outside).catch(() => {}); // The caller that awaits it gets the error.
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
