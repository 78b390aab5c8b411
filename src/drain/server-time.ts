import type { Clock } from "./clock.ts";

/** A clock that is kept is nearer than this to the server's, and a message may be as long on its way. */
const SKEW_MIN_MS = 5_000;
/** Answers tell whole seconds. */
const SECOND_MS = 1_000;

/** The server's clock is ahead by something between these, in milliseconds. */
interface Bounds {
  readonly least: number;
  readonly most: number;
}

/**
 * How this process's clock and a server's differ: what the server announces has its times, drains have this process's. Every
 * answer says when it was made, so that neither has to be set right.
 */
export class ServerTime {
  readonly #clock: Clock;
  readonly #onSkew: (aheadMs: number) => void;
  /** Absent: no answer has come. */
  #bounds: Bounds | undefined;
  /** Of the last answer, where it contradicts those before it. */
  #doubt: Bounds | undefined;
  /** The same by what messages say, while no answer has said it. */
  #saidMs: number | undefined;
  #reportedMs = 0;

  /** `onSkew`: hears of a difference of five seconds or more, when it changes, and with 0 when it is over. */
  constructor(clock: Clock, onSkew: (aheadMs: number) => void = () => {}) {
    this.#clock = clock;
    this.#onSkew = onSkew;
  }

  /** How much the server's clock is ahead of this process's, in milliseconds. Undefined: not known yet. */
  get aheadMs(): number | undefined {
    if (this.#bounds === undefined) return this.#saidMs;
    return (this.#bounds.least + this.#bounds.most) / 2;
  }

  /** By this process's clock, of a moment by the server's. Both in milliseconds since the epoch. */
  here(at: number): number {
    return at - this.#skewMs;
  }

  /** The other way round. */
  there(at: number): number {
    return at + this.#skewMs;
  }

  /** Something has just happened, and the server says when: milliseconds since the epoch. Answers know better. */
  receivedNow(at: number): void {
    if (this.#bounds !== undefined) return;
    this.#saidMs = at - this.#clock.now();
    this.#tell();
  }

  /** The server says of a moment that it has passed: milliseconds since the epoch. Answers know better. */
  passed(at: number): void {
    if (at - this.#clock.now() >= SKEW_MIN_MS) this.receivedNow(at);
  }

  /** To be called before a request is sent; what it returns, with the `Date` of its answer. */
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

  /** One answer that contradicts all before it may be wrong; a second one that confirms it is not. */
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
