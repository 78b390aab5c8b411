import {
  type CallFor,
  type FoundRegistrations,
  keyOf,
  type Node,
  type Pool,
  type Registration,
} from "../drain/cloud-provider.ts";
import type { Purpose, UrgencyNow } from "../drain/urgency.ts";
import { type Claim, NodeAddresses, networkIdsOf } from "./node-addresses.ts";

export interface NodeSearchOptions {
  /** `verify` if most of it is known already. */
  readonly purpose: Purpose;
  /** The last read that was sent before the search begins. */
  readonly since: number;
  readonly pools: PoolNumbers;
}

/** The search for one node: the registrations that were found so far, for its reader. */
export class NodeSearch {
  readonly node: Node;
  /** The same text for nodes in the same networks. */
  readonly networks: string;
  #since: number;
  readonly by: CallFor;
  /** The urgency of the caller. */
  readonly asked: UrgencyNow;
  /**
   * Whether drains cover a pool. The node's registrations in other pools are reported separately. Nothing is reported
   * before this is known, and nothing about a pool for which it is unknown.
   */
  #isMeant: ((pool: Pool) => boolean | undefined) | undefined;
  /** Whether its pools are listed, and its groups are being read. */
  scanning = false;
  /** Whether the classic load balancers were asked. Target groups have `readNumber` for that. */
  classicsAsked = false;
  /** Absent while the addresses of a remembered node are not confirmed: other machines may have them by now. */
  #addresses: NodeAddresses | undefined;
  /** What could not be read about the node, until it is reported. */
  #warning: string | undefined;
  /** Targets, by pool and target, for which a read is in progress whether another machine has their address too. */
  readonly #asking = new Set<string>();
  readonly #reported: Reported;
  /** Seen, and not reported yet. */
  #seen: { readonly pool: Pool; readonly registrations: readonly Registration[] }[] = [];
  #ended = false;
  #error: unknown;
  #wake: () => void = () => {};

  constructor(node: Node, by: CallFor, { purpose, since, pools }: NodeSearchOptions) {
    this.node = node;
    this.networks = networkIdsOf(node).join(" ");
    this.#reported = new Reported(pools);
    this.#since = since;
    this.asked = by.urgency;
    this.by = { ...by, urgency: () => ({ ...by.urgency(), purpose }) };
    this.#addresses = node.asOf === undefined ? new NodeAddresses(node) : undefined;
    this.#warning = node.warning;
  }

  /** The last read that was sent before it began. Reads up to it do not count. */
  get since(): number {
    return this.#since;
  }

  /** Reads up to `since` do not include these addresses. */
  hasAddressesOf(node: Node, since: number): void {
    this.#addresses = new NodeAddresses(node);
    this.#warning = node.warning;
    this.#since = since;
  }

  /** Whose target it is that a group of `network` lists in `zone`. Undefined: another machine's. */
  claim(network: string, id: string, zone: string | undefined): Claim | undefined {
    if (id === this.node.id) return "own";
    const isAddress = id.includes(".") || id.includes(":") || id.startsWith("eni-");
    return isAddress ? this.#addresses?.claim(network, id, zone) : undefined;
  }

  /** Whether it waits for the owner of a target. */
  get isAsking(): boolean {
    return this.#asking.size > 0;
  }

  /**
   * Addresses of the node that are registered in another network. They are the node's, unless `ask` names another
   * machine.
   */
  async sawOutside(pool: Pool, registration: Registration, ask: () => Promise<string | undefined>): Promise<void> {
    const key = keyOf(registration);
    if (this.#asking.has(key)) return;
    this.#asking.add(key);
    try {
      const doubt = await ask();
      this.saw(pool, [doubt === undefined ? registration : { ...registration, doubt }]);
    } catch (error) {
      this.fail(error);
    } finally {
      this.#asking.delete(key);
    }
  }

  /** The node's registrations in `pool`, as another read has just returned them. */
  saw(pool: Pool, registrations: readonly Registration[]): void {
    const fresh = registrations.filter(({ target }) => this.#reported.add(pool, target));
    if (fresh.length === 0) return;
    this.#seen.push({ pool, registrations: fresh });
    this.#wake();
  }

  /**
   * What was seen before. Not for groups without a load balancer, because a load balancer may use one since, and then
   * its terms apply. Not for draining targets, because they are not urgent, and may have been registered again since.
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

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#error ??= error;
    this.end();
  }

  /** Throws the failure of the search. */
  throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** The results, until the search ends. Throws its failure, or the reason of its signal. */
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

  /** What was found since the last call. Undefined: nothing. */
  take(): FoundRegistrations | undefined {
    const of = (isMeant: boolean | undefined) => this.#seen.filter(({ pool }) => this.#isMeant?.(pool) === isMeant);
    const meant = of(true).flatMap((seen) => seen.registrations);
    const isSure = ({ doubt }: Registration) => doubt === undefined;
    const registrations = meant.filter(isSure);
    // In a pool that drains do not cover, targets that may be another machine's are not reported.
    const others = of(false).flatMap((seen) => seen.registrations.filter(isSure));
    const elsewhere = [...others, ...meant.filter((one) => !isSure(one))];
    this.#seen = of(undefined);
    const warning = this.#warning;
    this.#warning = undefined;
    if (registrations.length + elsewhere.length === 0 && warning === undefined) return undefined;
    return { registrations, elsewhere, ...(warning === undefined ? {} : { warning }) };
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

/**
 * The targets that a search has reported. A bit for each, because a thousand nodes search hundreds of pools at once.
 */
export class Reported {
  readonly #pools: PoolNumbers;
  readonly #byTarget = new Map<string, Uint8Array>();

  constructor(pools: PoolNumbers) {
    this.#pools = pools;
  }

  /** Returns whether it was not reported before. */
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
