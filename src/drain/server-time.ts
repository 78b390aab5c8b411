import type { Clock } from "./clock.ts";

/**
 * A clock that is synchronized differs less than this from the server's, and a message may be under way for as long.
 */
const SKEW_MIN_MS = 5_000;
/** The times of answers are whole seconds. */
const SECOND_MS = 1_000;

/** The server's clock is ahead by a value between these, in milliseconds. */
interface Bounds {
  readonly least: number;
  readonly most: number;
}

/**
 * How this process's clock and a server's differ. What the server announces has the server's times, and drains have
 * this process's. Every answer contains its time, so that no clock has to be right.
 */
export class ServerTime {
  readonly #clock: Clock;
  readonly #onSkew: (aheadMs: number) => void;
  /** Absent: no answer has arrived. */
  #bounds: Bounds | undefined;
  /** The bounds of the last answer, if they contradict those before. */
  #doubt: Bounds | undefined;
  /** The difference by the times of messages, until an answer has shown it. */
  #saidMs: number | undefined;
  #reportedMs = 0;

  /** `onSkew`: called with a difference of five seconds or more when it changes, and with 0 when it is over. */
  constructor(clock: Clock, onSkew: (aheadMs: number) => void = () => {}) {
    this.#clock = clock;
    this.#onSkew = onSkew;
  }

  /** How far the server's clock is ahead of this process's, in milliseconds. Undefined: not known yet. */
  get aheadMs(): number | undefined {
    if (this.#bounds === undefined) return this.#saidMs;
    return (this.#bounds.least + this.#bounds.most) / 2;
  }

  /** Converts a time of the server's clock to this process's clock. Both are milliseconds since the epoch. */
  here(at: number): number {
    return at - this.#skewMs;
  }

  /** Converts a time of this process's clock to the server's clock. */
  there(at: number): number {
    return at + this.#skewMs;
  }

  /**
   * Something has just happened, at this time of the server's clock, in milliseconds since the epoch. Answers are more
   * reliable.
   */
  receivedNow(at: number): void {
    if (this.#bounds !== undefined) return;
    this.#saidMs = at - this.#clock.now();
    this.#tell();
  }

  /** This time of the server's clock has passed, in milliseconds since the epoch. Answers are more reliable. */
  passed(at: number): void {
    if (at - this.#clock.now() >= SKEW_MIN_MS) this.receivedNow(at);
  }

  /** Must be called before a request is sent. The returned function must be called with the `Date` of its answer. */
  sends(): (date: string | undefined) => void {
    const sentAt = this.#clock.now();
    return (date) => {
      const madeAt = date === undefined ? Number.NaN : Date.parse(date);
      if (!Number.isNaN(madeAt)) this.#answered(madeAt, sentAt, this.#clock.now());
    };
  }

  get #skewMs(): number {
    const { aheadMs = 0 } = this;
    return Math.abs(aheadMs) < SKEW_MIN_MS ? 0 : aheadMs;
  }

  /** One answer that contradicts all earlier ones may be wrong. A second one that confirms it is not. */
  #answered(madeAt: number, sentAt: number, receivedAt: number): void {
    const answer = { least: madeAt - receivedAt, most: madeAt + SECOND_MS - sentAt };
    const agreed = both(this.#bounds ?? answer, answer);
    const confirmed = this.#doubt && both(this.#doubt, answer);
    this.#doubt = agreed === undefined && confirmed === undefined ? answer : undefined;
    this.#bounds = agreed ?? confirmed ?? this.#bounds;
    this.#tell();
  }

  #tell(): void {
    const skewMs = this.#skewMs;
    if (Math.abs(skewMs - this.#reportedMs) < SKEW_MIN_MS) return;
    this.#reportedMs = skewMs;
    this.#onSkew(skewMs);
  }
}

/** Undefined: they contradict each other. */
function both(one: Bounds, other: Bounds): Bounds | undefined {
  const [least, most] = [Math.max(one.least, other.least), Math.min(one.most, other.most)];
  return least <= most ? { least, most } : undefined;
}
