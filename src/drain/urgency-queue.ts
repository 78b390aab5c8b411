import { compareUrgency, Rises, type Urgency, type Urgent } from "./urgency.ts";

interface Entry<T> {
  readonly item: T;
  /** Among equally urgent items, the lower number comes first. */
  readonly number: number;
  /**
   * The urgency when it was last read. It is never less than the current one, unless the entry is among the risen ones.
   */
  known: Urgency;
  /** The round in which it was last read. */
  askedIn: number;
  isRisen: boolean;
  /** Its index in the heap. */
  place: number;
  forget: () => void;
}

/**
 * Items by their urgency, which changes while they wait. An item announces when it becomes more urgent. That it has
 * become less urgent is noticed when its turn comes. So the number of reads and comparisons is logarithmic in the
 * number of items.
 */
export class UrgencyQueue<T extends { readonly by: Urgent }> {
  /** In the order of arrival. */
  readonly #entries = new Map<T, Entry<T>>();
  /** A binary heap: no entry is more urgent than its parent, by the known urgencies. */
  readonly #heap: Entry<T>[] = [];
  #risen: Entry<T>[] = [];
  readonly #rises = new Rises();
  #added = 0;
  #reading = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** In the order of arrival. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#entries.keys();
  }

  has(item: T): boolean {
    return this.#entries.has(item);
  }

  get oldest(): T | undefined {
    return this.#entries.keys().next().value;
  }

  add(item: T): void {
    const entry: Entry<T> = {
      item,
      number: this.#added++,
      known: item.by.urgency(),
      askedIn: this.#reading,
      isRisen: false,
      place: this.#heap.length,
      forget: () => {},
    };
    this.#entries.set(item, entry);
    this.#heap.push(entry);
    this.#up(entry);
    entry.forget = item.by.onRise?.(() => this.#rise(entry)) ?? entry.forget;
    if (entry.place === 0) this.#rises.announce();
  }

  /** Returns whether the item was in the queue. */
  delete(item: T): boolean {
    const entry = this.#entries.get(item);
    if (entry === undefined) return false;
    entry.forget();
    // It is not read again.
    entry.isRisen = false;
    this.#entries.delete(item);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return true;
    this.#put(last, entry.place);
    this.#move(last);
    return true;
  }

  /** The most urgent item, with its current urgency. Undefined: the queue is empty. */
  get first(): { readonly item: T; readonly urgency: Urgency } | undefined {
    this.#reading += 1;
    const risen = this.#risen;
    if (risen.length > 0) this.#risen = [];
    for (const entry of risen) if (entry.isRisen) this.#ask(entry);
    for (;;) {
      const [top] = this.#heap;
      if (top === undefined) return undefined;
      if (top.askedIn === this.#reading) return { item: top.item, urgency: top.known };
      this.#ask(top);
    }
  }

  /** Calls `rises` when the first item may be more urgent than before, until the returned function is called. */
  get onRise(): NonNullable<Urgent["onRise"]> {
    return this.#rises.on;
  }

  #rise(entry: Entry<T>): void {
    if (entry.isRisen) return;
    entry.isRisen = true;
    this.#risen.push(entry);
    // Listeners that were called before have not read the queue since.
    if (this.#risen.length === 1) this.#rises.announce();
  }

  #ask(entry: Entry<T>): void {
    entry.isRisen = false;
    entry.askedIn = this.#reading;
    entry.known = entry.item.by.urgency();
    this.#move(entry);
  }

  #move(entry: Entry<T>): void {
    this.#up(entry);
    this.#down(entry);
  }

  #up(entry: Entry<T>): void {
    while (entry.place > 0) {
      const above = this.#heap[(entry.place - 1) >> 1] as Entry<T>;
      if (!isBefore(entry, above)) return;
      this.#swap(entry, above);
    }
  }

  #down(entry: Entry<T>): void {
    for (;;) {
      const left = this.#heap[2 * entry.place + 1];
      const right = this.#heap[2 * entry.place + 2];
      const below = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (below === undefined || !isBefore(below, entry)) return;
      this.#swap(entry, below);
    }
  }

  #swap(one: Entry<T>, other: Entry<T>): void {
    const { place } = one;
    this.#put(one, other.place);
    this.#put(other, place);
  }

  #put(entry: Entry<T>, place: number): void {
    this.#heap[place] = entry;
    entry.place = place;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  const byUrgency = compareUrgency(a.known, b.known);
  return byUrgency < 0 || (byUrgency === 0 && a.number < b.number);
}
