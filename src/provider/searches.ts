import { UrgencyQueue } from "../drain/urgency-queue.ts";
import type { NodeSearch } from "./node-search.ts";

const NONE: readonly NodeSearch[] = [];

/**
 * The searches that run, by their urgency and by their node: each read of a pool asks for every target whether its node is
 * searched for.
 */
export class Searches extends UrgencyQueue<NodeSearch> {
  readonly #byNode = new Map<string, readonly NodeSearch[]>();

  override add(search: NodeSearch): void {
    super.add(search);
    const { id } = search.node;
    this.#byNode.set(id, [...this.ofNode(id), search]);
  }

  override delete(search: NodeSearch): boolean {
    const { id } = search.node;
    const others = this.ofNode(id).filter((other) => other !== search);
    if (others.length === 0) this.#byNode.delete(id);
    else this.#byNode.set(id, others);
    return super.delete(search);
  }

  /** In the order in which they began. */
  ofNode(id: string): readonly NodeSearch[] {
    return this.#byNode.get(id) ?? NONE;
  }
}
