/** More different texts than that are forgotten, and begun anew. */
const TEXTS_MAX = 100_000;

/** One copy of each text, for what is read again and again: a node has the same name in every pool. */
export class SameText {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= TEXTS_MAX) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}
