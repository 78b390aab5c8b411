import { createHash } from "node:crypto";

/** A region without a seed of its own is the same in every run. */
const DEFAULT_SEED = 1;

/**
 * The only randomness of a region: ids, tokens, the calls that faults strike by chance, the machine of a load balancer that a
 * client comes to. With the same seed, and the same order of calls and connections, it is the same in every run.
 */
export class Random {
  readonly seed: number;
  /** How much was drawn for each purpose: what one draws changes nothing for the others. */
  readonly #drawn = new Map<string, number>();

  constructor(seed = DEFAULT_SEED) {
    this.seed = seed;
  }

  /** The next hexadecimal digits for `purpose`, 64 of them. */
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
