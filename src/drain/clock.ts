import { uptime } from "node:os";

/** The only time there is. Implementations: `SystemClock` here; scaled and virtual ones in the simulator. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;

  /** Resolves `ms` later; at once when `ms` is not positive. Rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;

  /** Resolves in a later turn of the event loop, after the connections and timers that are due have had theirs. */
  turn(): Promise<void>;
}

/** The machine's three clocks, in milliseconds. */
export interface MachineClocks {
  /** The time of day, since the Unix epoch. It may be set at any time, by any amount. */
  readonly wall: () => number;
  /** Since the machine was booted, without the time for which it was suspended. Nothing sets it. */
  readonly monotonic: () => number;
  /** Since the machine was booted, or its container was started; suspended time counts. To a hundredth of a second. */
  readonly uptime: () => number;
}

/** What has become of the machine's clocks since the last look. 0: nothing. */
export interface ClockChange {
  /** The time of day was set forward by so much, in milliseconds. Negative: back. */
  readonly steppedMs: number;
  /** The machine stood still for so long, in milliseconds. This clock has made up for it. */
  readonly suspendedMs: number;
}

const MACHINE: MachineClocks = {
  wall: () => Date.now(),
  monotonic: () => Number(process.hrtime.bigint()) / 1_000_000,
  uptime: () => uptime() * 1_000,
};

/** Longer waits than this overflow Node's timers and would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;
/** Timers fire up to a millisecond early. */
const EARLY_MS = 1;
/** Reading three clocks one after the other takes time on a busy machine, and says nothing below this. */
const CHANGE_MIN_MS = 1_000;

/** How often two clocks are read for a pair of readings that are of one moment. */
const READINGS_MAX = 5;
/** Readings that are no further apart than this are. */
const ONE_MOMENT_MS = 0.5;

/**
 * How much another clock of the machine is ahead of its monotonic one, in milliseconds. A process that the machine
 * interrupts between two readings, as a busy one does, would be wrong by the length of that: the closest pair of a few counts.
 */
function aheadOf(monotonic: () => number, read: () => number): number {
  let ahead = 0;
  let closestMs = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < READINGS_MAX && closestMs > ONE_MOMENT_MS; reading++) {
    const before = monotonic();
    const value = read();
    const apartMs = monotonic() - before;
    if (apartMs >= closestMs) continue;
    closestMs = apartMs;
    ahead = value - (before + apartMs / 2);
  }
  return ahead;
}

/**
 * Takes the time of day once, and counts on from there: a time of day that is set forward ends no hold early, and one that
 * is set back ends no limit late.
 */
export class SystemClock implements Clock {
  readonly #machine: MachineClocks;
  /** What this clock is ahead of the monotonic one. */
  #origin: number;
  /** What the time of day was ahead of this clock, when that was last reported. */
  #offsetMs = 0;
  /** How long the machine has been suspended since its boot, and an unknown constant. */
  #stoodStillMs: number;
  /** Set the timers of those who sleep. */
  readonly #sleepers = new Set<() => void>();

  constructor(machine: MachineClocks = MACHINE) {
    this.#machine = machine;
    this.#origin = aheadOf(machine.monotonic, machine.wall);
    this.#stoodStillMs = aheadOf(machine.monotonic, machine.uptime);
  }

  now(): number {
    return this.#origin + this.#machine.monotonic();
  }

  /** When the machine was booted, by this clock and as far as its monotonic clock knows. */
  get bootedAt(): number {
    return this.#origin;
  }

  /** How much the machine's time of day is ahead of this clock now, in milliseconds. */
  get offsetMs(): number {
    return aheadOf(this.#machine.monotonic, this.#machine.wall) - this.#origin;
  }

  /**
   * Takes the time of day again, however far it is from this clock's. Only for a process that waits for nothing: what it
   * waits for would end early or late by as much.
   */
  takeTimeOfDay(): void {
    this.#origin = aheadOf(this.#machine.monotonic, this.#machine.wall);
    this.#offsetMs = 0;
  }

  /**
   * Compares the machine's clocks. To be called every few seconds: while a machine is suspended the monotonic clock stands
   * still, and whatever waits would wait for as much longer. A suspension counts where uptime and time of day both tell of it.
   */
  look(): ClockChange {
    const stoodStillMs = aheadOf(this.#machine.monotonic, this.#machine.uptime);
    const missedMs = Math.min(stoodStillMs - this.#stoodStillMs, this.offsetMs - this.#offsetMs);
    const suspendedMs = missedMs >= CHANGE_MIN_MS ? missedMs : 0;
    this.#stoodStillMs = stoodStillMs;
    if (suspendedMs > 0) {
      this.#origin += suspendedMs;
      for (const setTimer of this.#sleepers) setTimer();
    }
    const { offsetMs } = this;
    const movedMs = offsetMs - this.#offsetMs;
    if (Math.abs(movedMs) < CHANGE_MIN_MS) return { steppedMs: 0, suspendedMs };
    this.#offsetMs = offsetMs;
    return { steppedMs: movedMs, suspendedMs };
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const until = this.now() + ms;
      let timer: NodeJS.Timeout | undefined;
      const setTimer = () => {
        clearTimeout(timer);
        timer = setTimeout(wake, Math.min(Math.max(until - this.now(), 0), TIMER_MAX_MS));
      };
      const wake = () => {
        if (until - this.now() > EARLY_MS) return setTimer();
        this.#sleepers.delete(setTimer);
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = () => {
        clearTimeout(timer);
        this.#sleepers.delete(setTimer);
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#sleepers.add(setTimer);
      setTimer();
    });
  }
}
