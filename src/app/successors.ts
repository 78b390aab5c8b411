import type { Clock } from "../drain/clock.ts";
import type { OfReplica } from "../web/replicas.ts";

/** A replica that stands by asks the leader every few seconds. */
export const ASK_INTERVAL_MS = 2_000;
/** One that was not heard for so long may be gone. */
const PRESENT_MS = 4 * ASK_INTERVAL_MS;
/** Pods come and go. */
const KNOWN_MAX = 100;

/** The EC2 instance of a node, by the name of its object. Undefined: not known. */
type InstanceOf = (name: string) => Promise<string | undefined>;

/** Which replicas could lead in the place of this one, and whether one of them had better. */
export class Successors {
  readonly #clock: Clock;
  /** By the identity of the process, the last heard last. */
  readonly #heard = new Map<string, { readonly node: string | undefined; readonly at: number }>();
  /** The EC2 instances that are drained in this term. */
  readonly #leaving = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A replica stands by. */
  heard({ from, node }: OfReplica): void {
    this.#heard.delete(from);
    this.#heard.set(from, { node, at: this.#clock.now() });
    const [longestAgo] = this.#heard.keys();
    if (this.#heard.size > KNOWN_MAX && longestAgo !== undefined) this.#heard.delete(longestAgo);
  }

  /** The node of this instance is drained. */
  leaves(instanceId: string): void {
    this.#leaving.add(instanceId);
  }

  /** What is drained is another term's now. */
  endTerm(): void {
    this.#leaving.clear();
  }

  /** Whether there is any. */
  get isAny(): boolean {
    return this.#nodes().length > 0;
  }

  /** `leaves`: the node of this name is drained. `hasBetter`: a replica is on another node, which is not. */
  async comparedWith(
    own: string,
    instanceOf: InstanceOf,
  ): Promise<{ readonly leaves: boolean; readonly hasBetter: boolean }> {
    const leaves = async (node: string) => this.#leaving.has((await instanceOf(node)) ?? "");
    if (this.#leaving.size === 0 || !(await leaves(own))) return { leaves: false, hasBetter: false };
    const others = this.#nodes().filter((node) => node !== own);
    const leaving = await Promise.all(others.map(leaves));
    return { leaves: true, hasBetter: leaving.includes(false) };
  }

  #nodes(): readonly string[] {
    const since = this.#clock.now() - PRESENT_MS;
    return [...this.#heard.values()].filter(({ at }) => at >= since).map(({ node = "" }) => node);
  }
}
