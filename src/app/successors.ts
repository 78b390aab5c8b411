import type { Clock } from "../drain/clock.ts";
import type { OfReplica } from "../web/replicas.ts";

/** A standby replica calls the leader at this interval. */
export const ASK_INTERVAL_MS = 2_000;
/** A replica that was not heard of for this long may be gone. */
const PRESENT_MS = 4 * ASK_INTERVAL_MS;
/** Pods are replaced, so the number of remembered ones is limited. */
const KNOWN_MAX = 100;

/** The EC2 instance of a node, by the name of its object. Undefined: not known. */
type InstanceOf = (name: string) => Promise<string | undefined>;

/** Which replicas could lead instead of this one, and whether one of them should. */
export class Successors {
  readonly #clock: Clock;
  /** By the identity of the process, in the order of the last contact. */
  readonly #heard = new Map<string, { readonly node: string | undefined; readonly at: number }>();
  /** The EC2 instances that were drained in this term, unless they stay. */
  readonly #leaving = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A standby replica has called. */
  heard({ from, node }: OfReplica): void {
    this.#heard.delete(from);
    this.#heard.set(from, { node, at: this.#clock.now() });
    const [longestAgo] = this.#heard.keys();
    if (this.#heard.size > KNOWN_MAX && longestAgo !== undefined) this.#heard.delete(longestAgo);
  }

  /** The node of this instance is being drained. */
  leaves(instanceId: string): void {
    this.#leaving.add(instanceId);
  }

  /** A drain of this instance has ended so that its machine stays, or was undone. */
  stays(instanceId: string): void {
    this.#leaving.delete(instanceId);
  }

  /** The running drains belong to another term now. */
  endTerm(): void {
    this.#leaving.clear();
  }

  /** Whether there is one. */
  get isAny(): boolean {
    return this.#nodes().length > 0;
  }

  /**
   * `leaves`: the node of this name is being drained. `hasBetter`: there is a replica on another node, which is not
   * being drained.
   */
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
