/** Which drains each node has had, in the order of their beginnings, so that asking about one walks no others'. */
export class DrainsByNode {
  readonly #drains = new Map<string, Set<string>>();

  /** One that is known keeps its place. */
  add(node: string, drain: string): void {
    const drains = this.#drains.get(node) ?? new Set();
    drains.add(drain);
    this.#drains.set(node, drains);
  }

  forget(node: string, drain: string): void {
    const drains = this.#drains.get(node);
    drains?.delete(drain);
    if (drains?.size === 0) this.#drains.delete(node);
  }

  /** The newest first. */
  of(node: string): readonly string[] {
    return [...(this.#drains.get(node) ?? [])].reverse();
  }
}
