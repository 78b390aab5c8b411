import { newAbort, onAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";
import { type ApiServer, PAGE_ITEMS, type Query } from "./api-server.ts";
import { Condition } from "./condition.ts";
import type { Pod } from "./objects.ts";
import type { Turn } from "./pace.ts";
import { type NodePod, nodePod } from "./pods.ts";
import { isOlder, Watch, type WatchState } from "./watch.ts";

const PODS_PATH = "/api/v1/pods";
/** A pod that has started since then has no address yet, so that it is not a target. */
const AS_NEW_MS = 1_500;
/** The number of nodes whose pods are listed at the same time. The others wait for the watch to catch up. */
const LISTS_MAX = 8;
/** The watch of a busy cluster is as new as a list a moment later. */
const PROOF_WITHIN_MS = 1_000;
/** The list of 50,000 pods takes some seconds. */
const LIST_AGAIN_WITHIN_MS = 10_000;
/**
 * Each watch begins with an answer and ends in time with another one, so that a dead connection is noticed in between.
 */
const WATCH_SECONDS = 10;
const HEARD_WITHIN_MS = 12_000;

export interface NodePodsOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  /** Called when the state of the watch changes. Absent: there is no watch, and the pods of each node are listed. */
  readonly onState?: (state: WatchState) => void;
}

/**
 * The pods on each node, by their `spec.nodeName`. For a few nodes at a time, each is answered by a list. When many
 * leave at once, the others are answered by a watch of all pods, as soon as it is known to be as new as one of these
 * lists.
 */
export class NodePods {
  readonly #options: NodePodsOptions;
  readonly #watch: Watch<Pod, NodePod> | undefined;
  /** By node: the lists in progress, and those of the last moment. */
  readonly #lists = new Map<string, NodeList>();
  #underWay = 0;
  /** The moment up to which the watch has shown everything, in milliseconds since the epoch. */
  #provenAt = Number.NEGATIVE_INFINITY;
  #waiting = 0;
  #listedAgainAt = Number.NEGATIVE_INFINITY;
  #isNeeded = false;
  readonly #progress = new Condition();
  /** Aborts when the watch has ended permanently. */
  readonly #over = newAbort();

  constructor(options: NodePodsOptions) {
    this.#options = options;
    const { server, clock, onState } = options;
    this.#watch = onState && new Watch({ ...WATCHED, server, clock, onState });
  }

  /** The number of pods that the watch knows. */
  get size(): number {
    return this.#watch?.size ?? 0;
  }

  /** The pods now. Throws `KubernetesError`. */
  async on(node: string, signal: AbortSignal): Promise<readonly NodePod[]> {
    const watch = this.#working;
    const since = this.#options.clock.now() - AS_NEW_MS;
    const isSlow = watch !== undefined && this.#underWay >= LISTS_MAX && this.#listSince(node, since) === undefined;
    if (watch && (this.#provenAt >= since || (isSlow && (await this.#isProven(watch, since, signal)))))
      return watch.group(node);
    return this.#listed(node, since, signal);
  }

  /** The same for a caller that asks repeatedly: it may see a change some seconds late. */
  async seenOn(node: string, signal: AbortSignal): Promise<readonly NodePod[]> {
    const watch = this.#working;
    const isHeard = watch !== undefined && this.#options.clock.now() - watch.heardAt <= HEARD_WITHIN_MS;
    return isHeard ? watch.group(node) : this.on(node, signal);
  }

  /** The pods now that match one of the selectors, each once. Throws `KubernetesError`. */
  async selected(node: string, selectors: readonly string[], signal: AbortSignal): Promise<readonly NodePod[]> {
    const lists = selectors.map((labelSelector) => this.#list({ ...onNode(node), labelSelector }, signal));
    const pods = new Map((await Promise.all(lists)).flatMap(({ pods }) => pods.map((pod) => [pod.uid, pod] as const)));
    return [...pods.values()];
  }

  /** Starts the watch if it has not started, because its pods will be needed. */
  needed(): void {
    this.#isNeeded = true;
    this.#progress.changed();
  }

  /** Watches from the moment it is needed until `signal` aborts. Rejects with its reason. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#progress.until(() => this.#isNeeded, signal);
      await this.#watch?.run(signal);
    } finally {
      this.#over.abort(WOKEN);
    }
  }

  get #working(): Watch<Pod, NodePod> | undefined {
    const watch = this.#watch;
    return watch?.isListed === true && watch.failure === undefined ? watch : undefined;
  }

  /** Whether the watch is as new as `since`. */
  async #isProven(watch: Watch<Pod, NodePod>, since: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    this.#waiting += 1;
    try {
      if (await this.#isProvenWithin(PROOF_WITHIN_MS, since, signal)) return true;
      // One list of all pods, in pages, costs less than a list for each waiting node.
      if (this.#waiting <= Math.ceil(watch.size / PAGE_ITEMS)) return false;
      if (clock.now() - this.#listedAgainAt >= LIST_AGAIN_WITHIN_MS) {
        this.#listedAgainAt = clock.now();
        watch.listAgain();
      }
      return await this.#isProvenWithin(LIST_AGAIN_WITHIN_MS, since, signal);
    } finally {
      this.#waiting -= 1;
    }
  }

  #isProvenWithin(ms: number, since: number, signal: AbortSignal): Promise<boolean> {
    return this.#within(ms, signal, (within) => this.#progress.until(() => this.#provenAt >= since, within));
  }

  async #within(ms: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    const { clock } = this.#options;
    try {
      await withLimit({ clock, limit: { reason: "timeout", at: clock.now() + ms }, signal }, work);
      return true;
    } catch (error) {
      if (error instanceof LimitPassed) return false;
      throw error;
    }
  }

  #listed(node: string, since: number, signal: AbortSignal): Promise<readonly NodePod[]> {
    return (this.#listSince(node, since) ?? this.#begin(node)).join(signal);
  }

  #listSince(node: string, since: number): NodeList | undefined {
    const list = this.#lists.get(node);
    return list !== undefined && list.sentAt >= since && !list.isAbandoned ? list : undefined;
  }

  #begin(node: string): NodeList {
    const sentAt = this.#options.clock.now();
    for (const [name, known] of this.#lists) if (known.sentAt < sentAt - AS_NEW_MS) this.#lists.delete(name);
    const from = this.#watch?.version;
    this.#underWay += 1;
    // Many callers may wait for it.
    const turn = this.#working !== undefined && this.#underWay <= LISTS_MAX ? "first" : "in-order";
    const list = new NodeList(sentAt, async (signal) => {
      try {
        const { pods, version } = await this.#list(onNode(node), signal, turn);
        void this.#prove(sentAt, version, from);
        return pods;
      } catch (error) {
        if (this.#lists.get(node) === list) this.#lists.delete(node);
        throw error;
      } finally {
        this.#underWay -= 1;
      }
    });
    this.#lists.set(node, list);
    return list;
  }

  /** When the watch has reached the version of a list, it is as new as the list. Never rejects. */
  async #prove(sentAt: number, version: string, from: string | undefined): Promise<void> {
    const watch = this.#watch;
    // A server that was restored from a backup counts its versions anew.
    if (watch === undefined || isOlder(version, from)) return;
    const reached = (within: AbortSignal) => watch.reached(version, within);
    const isReached = this.#within(PROOF_WITHIN_MS + LIST_AGAIN_WITHIN_MS, this.#over.signal, reached);
    if (!(await isReached.catch(() => false))) return;
    this.#provenAt = Math.max(this.#provenAt, sentAt);
    this.#progress.changed();
  }

  async #list(
    query: Query,
    signal: AbortSignal,
    turn?: Turn,
  ): Promise<{ readonly pods: readonly NodePod[]; readonly version: string }> {
    const { items, resourceVersion } = await this.#options.server.list<Pod>(PODS_PATH, signal, query, turn);
    return { pods: items.flatMap((pod) => nodePod(pod) ?? []), version: resourceVersion };
  }
}

const WATCHED = {
  path: PODS_PATH,
  project: nodePod,
  groupOf: ({ node }: NodePod) => node,
  watchSeconds: WATCH_SECONDS,
} as const;

function onNode(node: string): Query {
  return { fieldSelector: `spec.nodeName=${node}` };
}

/**
 * The list of the pods of one node, for all callers that ask for it meanwhile. It is aborted when none of them waits.
 */
class NodeList {
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  readonly #abandon = newAbort();
  readonly #answer: Promise<readonly NodePod[]>;
  #asking = 0;

  constructor(sentAt: number, list: (signal: AbortSignal) => Promise<readonly NodePod[]>) {
    this.sentAt = sentAt;
    this.#answer = list(this.#abandon.signal);
    this.#answer.catch(() => {}); // Handled where it is joined.
  }

  get isAbandoned(): boolean {
    return this.#abandon.signal.aborted;
  }

  join(signal: AbortSignal): Promise<readonly NodePod[]> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      this.#asking += 1;
      const leave = () => {
        this.#asking -= 1;
        if (this.#asking === 0) this.#abandon.abort(WOKEN);
      };
      const forget = onAbort(signal, () => {
        leave();
        reject(signal.reason);
      });
      this.#answer.then(resolve, reject).finally(forget);
    });
  }
}
