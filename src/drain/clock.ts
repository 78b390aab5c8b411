import { uptime } from "node:os";

/** The only source of time. Implementations: `SystemClock` here, and scaled and virtual clocks in the simulator. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;

  /**
   * Resolves after `ms`, or at once if `ms` is not positive. Rejects with the signal's reason as soon as it aborts.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;

  /** Resolves in a later turn of the event loop, after the connections and timers that are due. */
  turn(): Promise<void>;
}

/** The machine's three clocks, in milliseconds. */
export interface MachineClocks {
  /** The time of day, since the Unix epoch. It may be set at any time, by any amount. */
  readonly wall: () => number;
  /** Since the boot of the machine, without the time for which it was suspended. It can't be set. */
  readonly monotonic: () => number;
  /**
   * Since the boot of the machine, or the start of its container, including the time for which it was suspended. To a
   * hundredth of a second.
   */
  readonly uptime: () => number;
}

/** How the machine's clocks have changed since the last comparison. 0: not at all. */
export interface ClockChange {
  /** The time of day was set forward by this much, in milliseconds. Negative: back. */
  readonly steppedMs: number;
  /** The machine was suspended for this long, in milliseconds. This clock has added that time. */
  readonly suspendedMs: number;
}

const MACHINE: MachineClocks = {
  wall: () => Date.now(),
  monotonic: () => Number(process.hrtime.bigint()) / 1_000_000,
  uptime: () => uptime() * 1_000,
};

/** Longer waits overflow Node's timers, and would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;
/** Timers fire up to a millisecond early. */
const EARLY_MS = 1;
/** Reading three clocks one after the other takes time on a busy machine, so that smaller differences mean nothing. */
const CHANGE_MIN_MS = 1_000;

/** How often two clocks are read to get a pair of readings of one moment. */
const READINGS_MAX = 5;
/** Readings at most this far apart are of one moment. */
const ONE_MOMENT_MS = 0.5;

/**
 * How far another clock of the machine is ahead of its monotonic one, in milliseconds. If the operating system
 * interrupts the process between two readings, the result is wrong by that time. So the closest pair of several counts.
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
 * Reads the time of day once, and counts on from there. A time of day that is set forward ends no hold early, and one
 * that is set back ends no limit late.
 */
export class SystemClock implements Clock {
  readonly #machine: MachineClocks;
  /** How far this clock is ahead of the monotonic one. */
  #origin: number;
  /** How far the time of day was ahead of this clock when that was last reported. */
  #offsetMs = 0;
  /** How long the machine has been suspended since its boot, plus an unknown constant. */
  #stoodStillMs: number;
  /** Functions that set the timers of sleeping callers anew. */
  readonly #sleepers = new Set<() => void>();

  constructor(machine: MachineClocks = MACHINE) {
    this.#machine = machine;
    this.#origin = aheadOf(machine.monotonic, machine.wall);
    this.#stoodStillMs = aheadOf(machine.monotonic, machine.uptime);
  }

  now(): number {
    return this.#origin + this.#machine.monotonic();
  }

  /** When the machine was booted, by this clock, and as far as the monotonic clock shows it. */
  get bootedAt(): number {
    return this.#origin;
  }

  /** How far the machine's time of day is ahead of this clock, in milliseconds. */
  get offsetMs(): number {
    return aheadOf(this.#machine.monotonic, this.#machine.wall) - this.#origin;
  }

  /**
   * Reads the time of day again, however far it is from this clock's. Only for a process in which nothing waits: a wait
   * would end early or late by the difference.
   */
  takeTimeOfDay(): void {
    this.#origin = aheadOf(this.#machine.monotonic, this.#machine.wall);
    this.#offsetMs = 0;
  }

  /**
   * Compares the machine's clocks. It must be called every few seconds: while a machine is suspended its monotonic
   * clock stands still, so that every wait would be longer by that time. A suspension counts if both uptime and time of
   * day show it.
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
