/** Chance that is the same in every run with the same seed: a linear congruential generator. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state / 2 ** 32;
  }

  isTrue(share: number): boolean {
    return this.next() < share;
  }

  between(from: number, to: number): number {
    return from + (to - from) * this.next();
  }

  oneOf<T>(values: readonly T[]): T | undefined {
    return values[Math.floor(this.next() * values.length)];
  }
}
