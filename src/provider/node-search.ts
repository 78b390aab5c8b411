import type { CallFor, FoundRegistrations, Node, Pool, Registration } from "../drain/cloud-provider.ts";
import type { Purpose, UrgencyNow } from "../drain/urgency.ts";
import { addressMatcher } from "./instances.ts";

export interface NodeSearchOptions {
  /** `verify` where most of it is known already. */
  readonly purpose: Purpose;
  /** The read that was sent last before it begins. */
  readonly since: number;
  readonly pools: PoolNumbers;
}

/** One node that is looked for: the registrations found so far, for its reader. */
export class NodeSearch {
  readonly node: Node;
  #since: number;
  readonly by: CallFor;
  /** As urgent as the caller said. */
  readonly asked: UrgencyNow;
  /**
   * Which pools are meant; the node's registrations elsewhere are reported. Nothing is reported before that is known, nor of
   * a pool of which it is not known.
   */
  #isMeant: ((pool: Pool) => boolean | undefined) | undefined;
  /** Whether its pools are listed, and its groups are being read. */
  scanning = false;
  /** Whether the classic load balancers have been asked; target groups say so themselves. */
  classicsAsked = false;
  #isOwnAddress: (address: string) => boolean;
  readonly #reported: Reported;
  /** Seen, and not reported yet. */
  #seen: { readonly pool: Pool; readonly registrations: readonly Registration[] }[] = [];
  #ended = false;
  #error: unknown;
  #wake: () => void = () => {};

  constructor(node: Node, by: CallFor, { purpose, since, pools }: NodeSearchOptions) {
    this.node = node;
    this.#reported = new Reported(pools);
    this.#since = since;
    this.asked = by.urgency;
    this.by = { ...by, urgency: () => ({ ...by.urgency(), purpose }) };
    // A remembered node may have lost its addresses to another one.
    this.#isOwnAddress = node.asOf === undefined ? addressMatcher(node) : () => false;
  }

  /** The read that was sent last before it began: those up to it don't count. */
  get since(): number {
    return this.#since;
  }

  /** Not included in the reports of the reads up to `since`. */
  hasAddressesOf(node: Node, since: number): void {
    this.#isOwnAddress = addressMatcher(node);
    this.#since = since;
  }

  readonly isOwn = (id: string): boolean =>
    id === this.node.id || (id.includes(".") || id.includes(":") ? this.#isOwnAddress(id) : false);

  /** The node's registrations in `pool`, as another read has just returned them. */
  saw(pool: Pool, registrations: readonly Registration[]): void {
    const fresh = registrations.filter(({ target }) => this.#reported.add(pool, target));
    if (fresh.length === 0) return;
    this.#seen.push({ pool, registrations: fresh });
    this.#wake();
  }

  /**
   * What was seen before. Not of groups without a load balancer: a load balancer may have taken one into use since, and
   * then its rule holds. Not of what was draining: it has no hurry, and may have been registered again since.
   */
  remembers(known: readonly Registration[]): void {
    for (const registration of known) {
      const { pool, state } = registration;
      if (pool.kind !== "unattached" && state !== "draining") this.saw(pool, [registration]);
    }
  }

  means(isMeant: (pool: Pool) => boolean | undefined): void {
    this.#isMeant = isMeant;
    this.#wake();
  }

  /** Whether it knows of each of the pools if it is meant. */
  knowsAll(pools: readonly Pool[]): boolean {
    return pools.every((pool) => this.#isMeant?.(pool) !== undefined);
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#error ??= error;
    this.end();
  }

  /** The findings, until the search ends. Throws what it failed with, or the reason of its signal. */
  async *results(): AsyncGenerator<FoundRegistrations> {
    const { signal } = this.by;
    const onAbort = () => this.#wake();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (;;) {
        signal.throwIfAborted();
        const found = this.take();
        if (found !== undefined) yield found;
        else if (this.#error !== undefined) throw this.#error;
        else if (this.#ended) return;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** What was found since it was last asked. Undefined: nothing. */
  take(): FoundRegistrations | undefined {
    const of = (isMeant: boolean | undefined) => this.#seen.filter(({ pool }) => this.#isMeant?.(pool) === isMeant);
    const registrations = of(true).flatMap((seen) => seen.registrations);
    const elsewhere = of(false).flatMap((seen) => seen.registrations);
    this.#seen = of(undefined);
    return registrations.length + elsewhere.length === 0 ? undefined : { registrations, elsewhere };
  }
}

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

/** Which targets in which pools a search has reported. A bit for each: a thousand nodes search hundreds of pools at once. */
export class Reported {
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
