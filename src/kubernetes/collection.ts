/** How one object has changed, as far as its projection shows it. */
export type Change<V> =
  | { readonly kind: "added"; readonly key: string; readonly value: V }
  /** `before` is the value that this reader got last. It does not get every change in between. */
  | { readonly kind: "changed"; readonly key: string; readonly value: V; readonly before: V }
  /** `value` is the value that this reader got last. */
  | { readonly kind: "deleted"; readonly key: string; readonly value: V };

/** What a collection keeps of one object. */
interface Kept<V> {
  /** Distinguishes it from another object of the same name. */
  readonly uid: string;
  readonly value: V;
}

/** A local copy of the projected objects of the API server, and the readers that follow its changes. */
export class Collection<V> {
  readonly #kept = new Map<string, Kept<V>>();
  readonly #readers = new Set<Reader<V>>();
  readonly #groupOf: (value: V) => string | undefined;
  /** Objects of one group, by their keys. */
  readonly #groups = new Map<string, Map<string, V>>();

  /** `groupOf`: the group by which objects are looked up together, such as the node of a pod. Undefined: none. */
  constructor(groupOf: (value: V) => string | undefined = () => undefined) {
    this.#groupOf = groupOf;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(key: string): V | undefined {
    return this.#kept.get(key)?.value;
  }

  /** All objects of one group. */
  group(name: string): readonly V[] {
    return [...(this.#groups.get(name)?.values() ?? [])];
  }

  /** A live view of the collection. */
  *entries(): IterableIterator<readonly [key: string, value: V]> {
    for (const [key, { value }] of this.#kept) yield [key, value];
  }

  keys(): IterableIterator<string> {
    return this.#kept.keys();
  }

  /** `value` undefined: the object is not kept, as if it was deleted. */
  put(key: string, uid: string, value: V | undefined): void {
    if (value === undefined) {
      this.remove(key);
      return;
    }
    const before = this.#kept.get(key);
    if (before?.uid === uid && isSame(before.value, value)) return;
    this.#ungroup(key, before);
    this.#kept.set(key, { uid, value });
    const name = this.#groupOf(value);
    if (name !== undefined) this.#groups.set(name, (this.#groups.get(name) ?? new Map<string, V>()).set(key, value));
    this.#wake(key);
  }

  remove(key: string): void {
    this.#ungroup(key, this.#kept.get(key));
    if (this.#kept.delete(key)) this.#wake(key);
  }

  #ungroup(key: string, kept: Kept<V> | undefined): void {
    const name = kept && this.#groupOf(kept.value);
    if (name === undefined) return;
    const group = this.#groups.get(name);
    group?.delete(key);
    if (group?.size === 0) this.#groups.delete(name);
  }

  /**
   * First every existing object as `added`, then each change. A slow reader gets fewer steps: at most one entry for
   * each object is kept for it. Ends with the signal's reason.
   */
  async *changes(signal: AbortSignal): AsyncGenerator<Change<V>, never> {
    const reader = new Reader<V>(this.#kept);
    this.#readers.add(reader);
    try {
      for (;;) {
        signal.throwIfAborted();
        const next = reader.next();
        if (next === undefined) await reader.wait(signal);
        else yield next;
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  #wake(key: string): void {
    for (const reader of this.#readers) reader.note(key);
  }
}

/** Projections are plain data. */
function isSame<V>(value: V, other: V): boolean {
  return JSON.stringify(value) === JSON.stringify(other);
}

/** What one reader has got, and which objects it has not seen yet. */
class Reader<V> {
  readonly #kept: ReadonlyMap<string, Kept<V>>;
  readonly #given = new Map<string, Kept<V>>();
  readonly #pending: Set<string>;
  #wake: (() => void) | undefined;

  constructor(kept: ReadonlyMap<string, Kept<V>>) {
    this.#kept = kept;
    this.#pending = new Set(kept.keys());
  }

  note(key: string): void {
    this.#pending.add(key);
    this.#wake?.();
  }

  next(): Change<V> | undefined {
    for (const key of this.#pending) {
      const [given, now] = [this.#given.get(key), this.#kept.get(key)];
      if (given !== undefined && given.uid !== now?.uid) {
        // If there is another object of this name, it is the next change.
        this.#given.delete(key);
        if (now === undefined) this.#pending.delete(key);
        return { kind: "deleted", key, value: given.value };
      }
      this.#pending.delete(key);
      if (now === undefined || (given !== undefined && isSame(now.value, given.value))) continue;
      this.#given.set(key, now);
      return given === undefined
        ? { kind: "added", key, value: now.value }
        : { kind: "changed", key, value: now.value, before: given.value };
    }
    return undefined;
  }

  /** Resolves when there may be a change. */
  async wait(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      this.#wake = () => {
        signal.removeEventListener("abort", stop);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
