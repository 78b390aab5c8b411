/** How many calls fit in at once, and how fast room comes back. */
export interface BucketSize {
  readonly tokens: number;
  readonly refillPerSecond: number;
}

/** Full at first. Counts in thousandths of a token, so that whole milliseconds add up exactly. */
export class TokenBucket {
  readonly #size: BucketSize;
  #thousandths: number;
  #filledAt: number;

  constructor(size: BucketSize, now: number) {
    this.#size = size;
    this.#thousandths = size.tokens * 1_000;
    this.#filledAt = now;
  }

  /** Whether a call may be made at `now`, in milliseconds since the epoch. */
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
