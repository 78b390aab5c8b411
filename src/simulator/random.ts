import { createHash } from "node:crypto";

/** Constant, so that a region without a seed is the same in every run. */
const DEFAULT_SEED = 1;

/**
 * The only source of randomness in a region: for ids, tokens, the calls that faults affect by chance, and the load
 * balancer machine that a client connects to. With the same seed, and the same order of calls and connections, all runs
 * are the same.
 */
export class Random {
  readonly seed: number;
  /** Number of draws for each purpose. Draws for one purpose do not change the others. */
  readonly #drawn = new Map<string, number>();

  constructor(seed = DEFAULT_SEED) {
    this.seed = seed;
  }

  /** The next 64 hexadecimal digits for `purpose`. */
  digits(purpose: string): string {
    const drawn = this.#drawn.get(purpose) ?? 0;
    this.#drawn.set(purpose, drawn + 1);
    return createHash("sha256").update(`${this.seed} ${purpose} ${drawn}`).digest("hex");
  }

  uuid(purpose: string): string {
    const digits = this.digits(purpose);
    const part = (start: number, end: number) => digits.slice(start, end);
    return `${part(0, 8)}-${part(8, 12)}-4${part(12, 15)}-8${part(15, 18)}-${part(18, 30)}`;
  }
}
