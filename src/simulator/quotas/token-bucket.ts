/** How many calls are possible at once, and how fast the bucket refills. */
export interface BucketSize {
  readonly tokens: number;
  readonly refillPerSecond: number;
}

/** A bucket that is full at first. It counts thousandths of a token, so that whole milliseconds add up exactly. */
export class TokenBucket {
  readonly #size: BucketSize;
  #thousandths: number;
  #filledAt: number;

  constructor(size: BucketSize, now: number) {
    this.#size = size;
    this.#thousandths = size.tokens * 1_000;
    this.#filledAt = now;
  }

  /** Whether there is a token for a call at `now`, in milliseconds since the epoch. */
  holdsOne(now: number): boolean {
    const { tokens, refillPerSecond } = this.#size;
    this.#thousandths = Math.min(tokens * 1_000, this.#thousandths + (now - this.#filledAt) * refillPerSecond);
    this.#filledAt = now;
    return this.#thousandths >= 1_000;
  }

  takeOne(): void {
    this.#thousandths -= 1_000;
  }
}
