/** One thing that is to happen. It is told the moment that was meant, which may have passed. */
type Happening = (at: number) => void;

/** What is to happen, each at a moment that is known beforehand, in milliseconds since the epoch. */
export class Schedule {
  #entries: readonly { readonly at: number; readonly happen: Happening }[] = [];

  /** Things of the same moment happen in the order in which they were added. */
  add(at: number, happen: Happening): void {
    const later = this.#entries.findIndex((entry) => entry.at > at);
    const place = later === -1 ? this.#entries.length : later;
    this.#entries = [...this.#entries.slice(0, place), { at, happen }, ...this.#entries.slice(place)];
  }

  /** When the next thing happens. */
  get nextAt(): number | undefined {
    return this.#entries[0]?.at;
  }

  /** When anything happens. */
  get times(): readonly number[] {
    return this.#entries.map(({ at }) => at);
  }

  /** Lets the next thing happen. */
  run(): void {
    const [next, ...rest] = this.#entries;
    this.#entries = rest;
    next?.happen(next.at);
  }
}
