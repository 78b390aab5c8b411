/**
 * Decides when requests begin, so that no number of them keeps the event loop from its other work. Addresses take
 * turns: requests of one client wait for its own, not for those of all others.
 */
export class Turns {
  readonly #perTurnMax: number;
  /** The waiting requests, by address. The address that has waited longest for its turn is first. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #left: number;
  #isScheduled = false;

  /** `perTurnMax`: requests that may begin in one turn of the event loop. */
  constructor(perTurnMax: number) {
    this.#perTurnMax = perTurnMax;
    this.#left = perTurnMax;
  }

  /** Calls `begin` now, or in a later turn. The returned function removes it from the queue. */
  run(address: string, begin: () => void): () => void {
    this.#schedule();
    if (this.#left > 0 && !this.#waiting.has(address)) {
      this.#left -= 1;
      begin();
      return () => {};
    }
    const own = this.#waiting.get(address) ?? new Set();
    this.#waiting.set(address, own.add(begin));
    return () => this.#forget(address, begin);
  }

  #forget(address: string, begin: () => void): void {
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
    this.#left = this.#perTurnMax;
    for (; this.#left > 0 && this.#waiting.size > 0; this.#left -= 1) this.#beginOne();
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
