/** One thing that is to happen. It is told the moment that was meant, which may have passed. */
type Happening = (at: number) => void;

/** What is to happen, each at a moment that is known beforehand, in milliseconds since the epoch. */
export class Schedule {
  readonly #entries: { readonly at: number; readonly happen: Happening }[] = [];

  /** Things of the same moment happen in the order in which they were added. */
  add(at: number, happen: Happening): void {
    const before = this.#entries.findLastIndex((entry) => entry.at <= at);
    this.#entries.splice(before + 1, 0, { at, happen });
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
    const next = this.#entries.shift();
    next?.happen(next.at);
  }
}
