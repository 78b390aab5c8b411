/** Requests that begin in one turn of the event loop. Most take a tenth of a millisecond, and drains wait meanwhile. */
const PER_TURN_MAX = 16;

/**
 * When a request may begin, so that no number of them keeps the event loop from its other work. Addresses take turns:
 * requests of one client wait for its own, not for those of all others.
 */
export class Turns {
  /** What waits, by address. The address that waited longest for its turn first. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #left = PER_TURN_MAX;
  #isScheduled = false;

  /** Whether a request of this address may begin at once. */
  take(address: string): boolean {
    if (this.#left === 0 || this.#waiting.has(address)) return false;
    this.#left -= 1;
    this.#schedule();
    return true;
  }

  /** Calls `begin` in a later turn. */
  wait(address: string, begin: () => void): void {
    const own = this.#waiting.get(address) ?? new Set();
    this.#waiting.set(address, own.add(begin));
    this.#schedule();
  }

  /** `begin` waits no more. */
  forget(address: string, begin: () => void): void {
    const own = this.#waiting.get(address);
    own?.delete(begin);
    if (own?.size === 0) this.#waiting.delete(address);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#isScheduled = false;
    for (this.#left = PER_TURN_MAX; this.#left > 0 && this.#waiting.size > 0; this.#left -= 1) this.#beginOne();
    if (this.#waiting.size > 0) this.#schedule();
  }

  #beginOne(): void {
    const [[address, own] = []] = this.#waiting;
    const [begin] = own ?? [];
    if (address === undefined || own === undefined || begin === undefined) return;
    own.delete(begin);
    this.#waiting.delete(address);
    if (own.size > 0) this.#waiting.set(address, own);
    begin();
  }
}
