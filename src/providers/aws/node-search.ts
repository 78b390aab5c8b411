import type { CallFor, FoundRegistrations, Node, Pool, Registration } from "../../drain/cloud-provider.ts";
import type { Purpose, UrgencyNow } from "../../drain/urgency.ts";
import { addressMatcher } from "./addresses.ts";

/** One node that is looked for: what was found of it, for whoever reads on. */
export class NodeSearch {
  readonly node: Node;
  #since: number;
  readonly by: CallFor;
  /** As urgent as whoever asked said. */
  readonly asked: UrgencyNow;
  /**
   * Which pools are meant; the node's registrations elsewhere are reported. Nothing is told before that is known, nor of
   * a pool of which it is not known.
   */
  #isMeant: ((pool: Pool) => boolean | undefined) | undefined;
  /** Whether its pools are listed, and its groups are being read. */
  scanning = false;
  /** Whether the classic load balancers have been asked; target groups say so themselves. */
  classicsAsked = false;
  #isOwnAddress: (address: string) => boolean;
  /** By pool: targets that were seen before. Most often one, so that it stands alone. */
  readonly #offered = new Map<string, string | ReadonlySet<string>>();
  /** Seen, and not told yet. */
  #seen: { readonly pool: Pool; readonly registrations: readonly Registration[] }[] = [];
  #ended = false;
  #error: unknown;
  #wake: () => void = () => {};

  /** `purpose`: `verify` where most of it is known already. */
  constructor(node: Node, purpose: Purpose, since: number, by: CallFor) {
    this.node = node;
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

  /** What the reads up to `since` have told was told without these. */
  hasAddressesOf(node: Node, since: number): void {
    this.#isOwnAddress = addressMatcher(node);
    this.#since = since;
  }

  readonly isOwn = (id: string): boolean =>
    id === this.node.id || (id.includes(".") || id.includes(":") ? this.#isOwnAddress(id) : false);

  /** The node's registrations in `pool`, as somebody has just seen them. */
  saw(pool: Pool, registrations: readonly Registration[]): void {
    const offered = this.#offered.get(pool.id);
    const known = typeof offered === "string" ? new Set([offered]) : (offered ?? new Set());
    const fresh = registrations.filter(({ target }) => !known.has(target));
    const [first] = fresh;
    if (first === undefined) return;
    const isAlone = known.size === 0 && fresh.length === 1;
    this.#offered.set(pool.id, isAlone ? first.target : new Set([...known, ...fresh.map(({ target }) => target)]));
    this.#seen.push({ pool, registrations: fresh });
    this.#wake();
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

  /** What is found, until the search ends. Throws what it failed with, or the reason of its signal. */
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
