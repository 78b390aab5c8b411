import type { Clock } from "../../src/drain/clock.ts";
import type { Cluster, ClusterMember, ClusterPod, PodsRead } from "../../src/drain/cluster.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { type JointEviction, notEvicted, type PlannedEviction } from "../../src/drain/eviction.ts";
import type { EvictionStep } from "../../src/drain/steps.ts";

export interface ClusterCall {
  readonly verb: "podsOf" | "exclude" | "taint" | "untaint" | "include" | "uncordon" | "planEviction" | "evict";
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A pod of the fake: it ends so long after its eviction. */
export interface FakePod {
  readonly pod: string;
  readonly graceSeconds?: number;
  /** Its disruption budget allows its eviction from then on, in milliseconds since the epoch. */
  readonly allowedFrom?: number;
  /** It can't be evicted. */
  readonly isStuck?: true;
  readonly hasData?: true;
  readonly addresses?: readonly string[];
  readonly isLeaving?: boolean;
  readonly isBound?: boolean;
  readonly readySince?: number;
}

/** A cluster in memory, whose Node objects are named as the cloud names their machines. */
export class FakeCluster implements Cluster {
  readonly calls: ClusterCall[] = [];
  /** The names of the nodes that have the mark. */
  readonly excluded = new Set<string>();
  /** The names of the nodes whose kube-proxy fails health checks. */
  readonly tainted = new Set<string>();
  /** The names of those that were let go, one after the other. */
  readonly released: string[] = [];
  /** The ids of machines that it has no Node object for. */
  readonly unknown = new Set<string>();
  /** Those on each node, by its name. */
  readonly pods = new Map<string, readonly FakePod[]>();
  readonly cordoned = new Set<string>();
  /** With which options pods were evicted. */
  readonly evictions: JointEviction[] = [];
  /** Runs before each call; what it throws the call throws, what it awaits the call waits for. */
  before: (call: ClusterCall, signal: AbortSignal) => unknown = () => {};
  readonly #clock: () => Clock;

  constructor(clock: () => Clock) {
    this.#clock = clock;
  }

  async exclude(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    if (!(await this.#calls("exclude", node, signal))) return undefined;
    this.excluded.add(node.name);
    return node.name;
  }

  async taint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    if (!(await this.#calls("taint", node, signal))) return undefined;
    this.tainted.add(node.name);
    return node.name;
  }

  async untaint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    if (!(await this.#calls("untaint", node, signal))) return undefined;
    this.tainted.delete(node.name);
    return node.name;
  }

  async include(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    if (!(await this.#calls("include", node, signal))) return undefined;
    this.excluded.delete(node.name);
    this.tainted.delete(node.name);
    this.cordoned.delete(node.name);
    return node.name;
  }

  async uncordon(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    if (!(await this.#calls("uncordon", node, signal))) return undefined;
    this.cordoned.delete(node.name);
    return node.name;
  }

  release({ name }: ClusterMember): void {
    this.released.push(name);
  }

  async podsOf(node: ClusterMember, _: PodsRead, signal: AbortSignal): Promise<readonly ClusterPod[]> {
    if (!(await this.#calls("podsOf", node, signal))) return [];
    const pods = this.pods.get(node.name) ?? [];
    return pods.map(({ pod, addresses = [], isLeaving = false, isBound = false, readySince }) => ({
      ...{ name: pod, uid: pod, addresses, isLeaving, isBound },
      ...(readySince !== undefined && { readySince }),
    }));
  }

  /** From now on the pod is terminating, or gone. */
  leaves(node: string, pod: string, isGone = false): void {
    const pods = this.pods.get(node) ?? [];
    const others = pods.filter((one) => one.pod !== pod);
    const leaving = pods.filter((one) => one.pod === pod).map((one) => ({ ...one, isLeaving: true }));
    this.pods.set(node, isGone ? others : [...others, ...leaving]);
  }

  async planEviction(node: ClusterMember, options: JointEviction, signal: AbortSignal): Promise<PlannedEviction> {
    if (!(await this.#calls("planEviction", node, signal))) return { pods: [], graceMs: 0 };
    const pods = this.#allowed(node, options);
    const graces = pods.map(({ graceSeconds = 30 }) => graceSeconds * 1_000);
    return { pods: pods.map(({ pod }) => pod), graceMs: Math.max(0, ...graces) };
  }

  async evict(
    node: ClusterMember,
    options: JointEviction,
    onEvent: (event: EvictionStep) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (!(await this.#calls("evict", node, signal))) return;
    this.cordoned.add(node.name);
    const pods = this.#allowed(node, options);
    this.evictions.push(options);
    onEvent({ type: "evicting", pods: pods.map(({ pod }) => pod) });
    const clock = this.#clock();
    const stuck: { readonly pod: string; readonly why: string }[] = [];
    const each = pods.map(async ({ pod, graceSeconds = 30, allowedFrom = 0, isStuck }) => {
      const refused = (willRetry: boolean) => {
        const error = new DrainError(willRetry ? "throttled" : "not-evicted", "its budget does not allow it");
        onEvent({ type: "eviction-refused", pod, budget: "web", willRetry, error });
      };
      if (isStuck) {
        refused(false);
        stuck.push({ pod, why: "its budget does not allow it" });
        return;
      }
      if (allowedFrom > clock.now()) {
        refused(true);
        await clock.sleep(allowedFrom - clock.now(), signal);
      }
      this.leaves(node.name, pod);
      await clock.sleep(graceSeconds * 1_000, signal);
      this.leaves(node.name, pod, true);
      onEvent({ type: "evicted", pods: [pod] });
    });
    await Promise.all(each);
    if (stuck.length > 0) throw notEvicted(stuck);
  }

  #allowed({ name }: ClusterMember, { deletesEmptyDirData }: JointEviction): readonly FakePod[] {
    const pods = this.pods.get(name) ?? [];
    const data = pods.find(({ hasData }) => hasData === true);
    if (data === undefined || deletesEmptyDirData === true) return pods;
    throw new DrainError("not-evicted", `the data of ${data.pod} would be lost`);
  }

  /** When each call of `verb` came, in seconds since `start`. */
  secondsOf(verb: ClusterCall["verb"], start: number): readonly number[] {
    return this.calls.filter((call) => call.verb === verb).map(({ at }) => (at - start) / 1_000);
  }

  async #calls(verb: ClusterCall["verb"], { id, name }: ClusterMember, signal: AbortSignal): Promise<boolean> {
    const call = { verb, node: name, at: this.#clock().now() };
    this.calls.push(call);
    await this.before(call, signal);
    signal.throwIfAborted();
    return !this.unknown.has(id);
  }
}
