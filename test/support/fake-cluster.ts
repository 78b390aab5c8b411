import type { Cluster, ClusterMember } from "../../src/drain/cluster.ts";

export interface ClusterCall {
  readonly verb: "exclude" | "include";
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A cluster in memory, whose Node objects are named as the cloud names their machines. */
export class FakeCluster implements Cluster {
  readonly calls: ClusterCall[] = [];
  /** The names of the nodes that have the mark. */
  readonly excluded = new Set<string>();
  /** The names of those that were let go, one after the other. */
  readonly released: string[] = [];
  /** The ids of machines that it has no Node object for. */
  readonly unknown = new Set<string>();
  /** Runs before each call; what it throws the call throws, what it awaits the call waits for. */
  before: (call: ClusterCall, signal: AbortSignal) => unknown = () => {};
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  async exclude(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    if (!(await this.#calls("exclude", node, signal))) return undefined;
    this.excluded.add(node.name);
    return node.name;
  }

  async include(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    if (!(await this.#calls("include", node, signal))) return undefined;
    this.excluded.delete(node.name);
    return node.name;
  }

  release({ name }: ClusterMember): void {
    this.released.push(name);
  }

  /** When each call of `verb` came, in seconds since `start`. */
  secondsOf(verb: ClusterCall["verb"], start: number): readonly number[] {
    return this.calls.filter((call) => call.verb === verb).map(({ at }) => (at - start) / 1_000);
  }

  async #calls(verb: ClusterCall["verb"], { id, name }: ClusterMember, signal: AbortSignal): Promise<boolean> {
    const call = { verb, node: name, at: this.#now() };
    this.calls.push(call);
    await this.before(call, signal);
    signal.throwIfAborted();
    return !this.unknown.has(id);
  }
}
