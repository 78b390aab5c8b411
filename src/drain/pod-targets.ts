import { isIPv6, SocketAddress } from "node:net";
import type { Clock } from "./clock.ts";
import { addressOf, type CloudProvider, type Node, type Pool, type Registration } from "./cloud-provider.ts";
import type { Cluster, ClusterPod, PodsRead } from "./cluster.ts";
import type { DrainRun } from "./drain-run.ts";
import { byPool, type DrainingRegistration } from "./draining-registration.ts";
import { asDrainError, DrainError } from "./errors.ts";
import { CLUSTER_WITHIN_MS, type TakeOut } from "./exclusion.ts";
import { REPEAT_MS } from "./hold.ts";
import { LimitPassed, repeatWhilePassing, withLimit } from "./limit.ts";

/** How often the pods of a node are read while targets wait for the end of their pods. */
const READ_MS = 2_000;
/** How often the search looks for pods that have started on the node during its drain. */
const LOOKS_MAX = 2;
/** A pod is registered this long after it is ready, at most. It includes what the clocks of two machines may differ. */
const REGISTERED_WITHIN_MS = 60_000;

export interface PodTargetsOptions {
  readonly cluster: Pick<Cluster, "podsOf">;
  readonly cloud: Pick<CloudProvider, "describe" | "termsAfterDelay" | "mayHoldAddresses">;
  readonly clock: Clock;
  /** Whether the drain evicts this pod, as far as that is known. */
  readonly evicts: (pod: string) => boolean;
}

/**
 * The targets that are pods of a node. Their controller registers them again until the pod is terminating. If pods are
 * evicted, a target is deregistered when its pod leaves.
 */
export class PodTargets {
  readonly #run: DrainRun;
  readonly #options: PodTargetsOptions;
  readonly #signal: AbortSignal;
  #pods: readonly ClusterPod[] = [];
  #warned: string | undefined;
  /** What the last search has known: the addresses of the pods, and when it began. */
  #searched = { addresses: new Set<string>(), at: Number.NEGATIVE_INFINITY };
  /** Targets, with the pods that they wait for. */
  readonly #waiting = new Map<DrainingRegistration, ClusterPod>();
  #isFollowing = false;

  constructor(run: DrainRun, options: PodTargetsOptions, signal: AbortSignal) {
    this.#run = run;
    this.#options = options;
    this.#signal = signal;
  }

  /**
   * Before the search: reads which pods there are, and their addresses. A cluster that does not answer delays this by
   * at most `CLUSTER_WITHIN_MS`. The search then uses the addresses that the cloud knows, and the drain reports that.
   */
  async learn(): Promise<void> {
    const { cloud, clock } = this.#options;
    this.#searched.at = clock.now();
    if (!cloud.mayHoldAddresses(this.#run.node)) return;
    try {
      this.#searchesFor(await this.#read("now"));
    } catch (error) {
      this.#signal.throwIfAborted();
      const { code, message } = asDrainError(error);
      this.#run.isClusterSilent = code === "unreachable";
      this.#warn(unreadPods(this.#run.node, message));
    }
  }

  /** Wraps `takeOut`, so that targets that leave with their pods wait for them. */
  before(takeOut: TakeOut): TakeOut {
    return (registrations) => {
      const now = registrations.filter((draining) => !this.#waits(draining));
      if (now.length > 0) takeOut(now);
      const waiting = registrations.filter((draining) => this.#waiting.has(draining));
      for (const [pool, its] of byPool(waiting))
        this.#describe(pool, its).catch((error: unknown) => this.#fail(its, error));
      if (waiting.length === 0 || this.#isFollowing) return;
      this.#isFollowing = true;
      this.#follow(takeOut).catch((error: unknown) => this.#fail([...this.#waiting.keys()], error));
    };
  }

  /** At the end: searches again for pods that may have been registered since the last search. */
  async lookAgain(search: () => Promise<unknown>): Promise<void> {
    const run = this.#run;
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      if (!this.#options.cloud.mayHoldAddresses(run.node)) return;
      const pods = await this.#read("now").catch((error: unknown) => asDrainError(error));
      this.#signal.throwIfAborted();
      if (pods instanceof DrainError) {
        if (this.#warned === undefined) this.#warn(unreadAtEnd(run.node, pods.message));
        return;
      }
      const isSearched = pods.every((pod) => this.#isSearched(pod));
      this.#searchesFor(pods);
      if (isSearched) return;
      await search();
      await run.untilAll(({ isOver }) => isOver);
    }
  }

  /** A pod that was ready a short while before the search may have been registered since, unless the search has found it. */
  #isSearched({ addresses: own, readySince = Number.NEGATIVE_INFINITY }: ClusterPod): boolean {
    const { addresses, at } = this.#searched;
    const found = new Set(this.#run.registrations.map(({ registration }) => addressOf(registration)));
    const isFound = own.some((one) => found.has(inShortForm(one)));
    const registeredBy = readySince + (isFound ? 0 : REGISTERED_WITHIN_MS);
    return registeredBy <= at && own.every((one) => addresses.has(inShortForm(one)));
  }

  #searchesFor(pods: readonly ClusterPod[]): void {
    this.#know(pods);
    this.#searched = { addresses: new Set(this.#run.node.podAddresses), at: this.#options.clock.now() };
  }

  #read(read: PodsRead): Promise<readonly ClusterPod[]> {
    return readPods(this.#run.node, { ...this.#options, read }, this.#signal);
  }

  #know(pods: readonly ClusterPod[]): void {
    this.#pods = pods;
    this.#run.node = withPods(this.#run.node, pods);
    this.#run.warnings.delete(this.#warned ?? "");
    this.#warned = undefined;
  }

  #waits(draining: DrainingRegistration): boolean {
    const { asked } = this.#run;
    const pod = podAt(this.#pods, draining.registration);
    if (pod === undefined || pod.isLeaving || pod.isBound || draining.foundDraining) return false;
    const isOurs = asked.eviction !== undefined && this.#options.evicts(pod.name);
    if (!isOurs && !asked.isEvictedByOwner) return false;
    draining.waitsForPod(true);
    this.#waiting.set(draining, pod);
    return true;
  }

  /** Waiting registrations are planned like all others. */
  async #describe(pool: Pool, waiting: readonly DrainingRegistration[]): Promise<void> {
    const { cloud, clock } = this.#options;
    const repeat = { clock, until: () => this.#run.mustEndBy, signal: this.#signal };
    const by = this.#run.callFor(this.#signal);
    const terms = await repeatWhilePassing(repeat, () => cloud.describe(pool, by));
    for (const draining of waiting) draining.described(terms ?? cloud.termsAfterDelay(pool));
  }

  /** Deregisters each when its pod is terminating or gone. Resolves when none waits. */
  async #follow(takeOut: TakeOut): Promise<void> {
    const { clock } = this.#options;
    let unreadSince: number | undefined;
    while (this.#waiting.size > 0) {
      await clock.sleep(READ_MS, this.#signal);
      const askedAt = clock.now();
      const pods = await this.#read("again").catch(() => undefined);
      this.#signal.throwIfAborted();
      unreadSince = pods === undefined ? (unreadSince ?? askedAt) : undefined;
      if (pods !== undefined) this.#know(pods);
      const isBlind = unreadSince !== undefined && clock.now() - unreadSince >= CLUSTER_WITHIN_MS;
      if (isBlind) this.#warn(`the pods of ${this.#run.node.id} could no longer be read: ${WITHOUT_PODS}`);
      const leaving = [...this.#waiting].filter(([draining, pod]) => isBlind || this.#leaves(draining, pod));
      for (const [draining] of leaving) {
        draining.waitsForPod(false);
        this.#waiting.delete(draining);
      }
      if (leaving.length > 0) takeOut(leaving.map(([draining]) => draining));
    }
    this.#isFollowing = false;
  }

  /** It leaves with its pod, or early enough for its hold. */
  #leaves({ terms }: DrainingRegistration, { uid }: ClusterPod): boolean {
    const pod = this.#pods.find((one) => one.uid === uid);
    if (pod === undefined || pod.isLeaving) return true;
    return this.#run.mustEndBy - (terms?.holdMs ?? 0) - REPEAT_MS <= this.#options.clock.now();
  }

  #fail(waiting: readonly DrainingRegistration[], error: unknown): void {
    if (this.#signal.aborted) return;
    for (const draining of waiting) {
      draining.waitsForPod(false);
      draining.failed(asDrainError(error), this.#options.clock.now());
    }
  }

  #warn(warning: string): void {
    this.#warned = warning;
    this.#run.warnings.add(warning);
  }
}

const WITHOUT_PODS =
  "pod targets were looked for by the addresses that EC2 lists for the node, and deregistered at once; their controller may register them again while the pods run";

/** What a search misses without the pods, in a sentence for people. */
export function unreadPods({ id }: Pick<Node, "id">, why: string): string {
  return `the pods of ${id} could not be read (${why}): ${WITHOUT_PODS}`;
}

function unreadAtEnd({ id }: Pick<Node, "id">, why: string): string {
  return `the pods of ${id} could not be read at the end of the drain (${why}): targets of pods that have started on it during the drain were not looked for`;
}

/** The pods on the node, if the cluster answers within `CLUSTER_WITHIN_MS`. Throws `DrainError`. */
export async function readPods(
  node: Node,
  { cluster, clock, read = "now" }: Pick<PodTargetsOptions, "cluster" | "clock"> & { readonly read?: PodsRead },
  signal: AbortSignal,
): Promise<readonly ClusterPod[]> {
  const limit = { reason: "timeout", at: clock.now() + CLUSTER_WITHIN_MS } as const;
  try {
    return await withLimit({ clock, limit, signal }, (within) => cluster.podsOf(node, read, within));
  } catch (error) {
    if (!(error instanceof LimitPassed)) throw error;
    throw new DrainError("unreachable", `the cluster did not answer within ${CLUSTER_WITHIN_MS / 1_000} s`);
  }
}

export function withPods(node: Node, pods: readonly ClusterPod[]): Node {
  return { ...node, podAddresses: pods.flatMap(({ addresses }) => addresses).map(inShortForm) };
}

/** The pod that a target is. Undefined: it is none of these. */
export function podAt(pods: readonly ClusterPod[], registration: Registration): ClusterPod | undefined {
  const address = addressOf(registration);
  return address === undefined
    ? undefined
    : pods.find(({ addresses }) => addresses.some((one) => inShortForm(one) === address));
}

/** The form in which AWS writes addresses. */
function inShortForm(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: "ipv6" }).address : address;
}
