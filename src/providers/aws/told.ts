import type { Pool } from "../../drain/cloud-provider.ts";

/** Small numbers for pools, for as long as this object lives. */
export class PoolNumbers {
  readonly #numbers = new Map<string, number>();

  of({ id }: Pool): number {
    const known = this.#numbers.get(id) ?? this.#numbers.size;
    this.#numbers.set(id, known);
    return known;
  }

  get count(): number {
    return this.#numbers.size;
  }
}

/** Which targets in which pools a search has told of. A bit for each: a thousand nodes search hundreds of pools at once. */
export class Told {
  readonly #pools: PoolNumbers;
  readonly #byTarget = new Map<string, Uint8Array>();

  constructor(pools: PoolNumbers) {
    this.#pools = pools;
  }

  /** Returns whether that is news. */
  add(pool: Pool, target: string): boolean {
    const number = this.#pools.of(pool);
    const [at, bit] = [number >> 3, 1 << (number & 7)];
    const bits = this.#bits(target, at);
    const isNew = ((bits[at] ?? 0) & bit) === 0;
    bits[at] = (bits[at] ?? 0) | bit;
    return isNew;
  }

  /** With room for the byte at `at`. */
  #bits(target: string, at: number): Uint8Array {
    const known = this.#byTarget.get(target);
    if (known !== undefined && known.length > at) return known;
    const bits = new Uint8Array(Math.max(at, this.#pools.count >> 3) + 1);
    if (known !== undefined) bits.set(known);
    this.#byTarget.set(target, bits);
    return bits;
  }
}
