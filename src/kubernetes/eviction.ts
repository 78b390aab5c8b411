import type { Clock } from "../drain/clock.ts";
import { asDrainError, DrainError, type DrainErrorCode } from "../drain/errors.ts";
import { type EvictionEvent, type JointEviction, notEvicted, OWN_EVICTION } from "../drain/eviction.ts";
import { backOffMs } from "../drain/limit.ts";
import { type ApiServer, type Query, segment } from "./api-server.ts";
import { asClusterError, KubernetesError } from "./errors.ts";
import type { Eviction as EvictionObject, KubernetesObject, Pod } from "./objects.ts";
import { evictable, graceSeconds, isTerminating, obstacleTo, podName, uidOf } from "./pods.ts";

/** A budget without a word about when to try again: as often as `kubectl drain` does. */
const REFUSED_RETRY_MS = 5_000;
const RETRY = { firstMs: 1_000, maxMs: 15_000 };
/** How often the pods of the node are read while they end. */
const READ_MS = 2_000;
/** The API server's own words: https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/pod/storage/eviction.go */
const TWO_BUDGETS = /more than one PodDisruptionBudget/i;
const BUDGET_NAME = /disruption budget (\S+)/i;

export interface NodeEvictionOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly options: JointEviction;
  readonly onEvent: (event: EvictionEvent) => void;
}

/** The pods on a node, each once: those that one of the selectors fits, or all. */
export async function podsOn(
  server: ApiServer,
  node: string,
  podSelectors: readonly (string | undefined)[],
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const lists = await Promise.all(
    podSelectors.map((labelSelector) => {
      const query: Query = { fieldSelector: `spec.nodeName=${node}`, labelSelector };
      return server.list<Pod>("/api/v1/pods", signal, query);
    }),
  );
  const pods = new Map(lists.flatMap(({ items }) => items.map((pod) => [uidOf(pod), pod] as const)));
  return [...pods.values()];
}

/** The pods that an eviction takes. Throws `not-evicted` where the options don't allow it. */
export async function podsToEvict(
  server: ApiServer,
  node: string,
  options: JointEviction,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const pods = evictable(await podsOn(server, node, options.podSelectors ?? [undefined], signal), options);
  const obstacle = obstacleTo(pods, options);
  if (obstacle !== undefined) throw new DrainError("not-evicted", `the pods of ${node} are not evicted: ${obstacle}`);
  return pods;
}

/** Evicts the pods of one node. https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ */
export class NodeEviction {
  readonly #options: NodeEvictionOptions;
  #node = "";
  /** Those that are still there, by uid. */
  readonly #left = new Map<string, Pod>();
  /** Why those that can't be evicted can't, by uid. */
  readonly #refused = new Map<string, string>();
  readonly #reported = new Map<string, string>();

  constructor(options: NodeEvictionOptions) {
    this.#options = options;
  }

  /**
   * Resolves once they are gone. Throws `not-evicted`, or the reason of `signal`. `cordon` marks the node unschedulable,
   * and resolves with its name; undefined: there is none.
   */
  async run(cordon: (signal: AbortSignal) => Promise<string | undefined>, signal: AbortSignal): Promise<void> {
    const { server, options, onEvent } = this.#options;
    const node = await this.#untilDone(cordon, signal);
    if (node === undefined) return;
    this.#node = node;
    const pods = await this.#untilDone((within) => podsToEvict(server, this.#node, options, within), signal);
    for (const pod of pods) this.#left.set(uidOf(pod), pod);
    onEvent({ type: "evicting", pods: pods.map(podName) });
    const asked = pods.filter((pod) => !isTerminating(pod)).map((pod) => this.#evict(pod, signal));
    await Promise.all([...asked, this.#untilGone(signal)]);
    if (this.#refused.size === 0) return;
    const remaining = [...this.#refused].map(([uid, why]) => ({ pod: podName(this.#left.get(uid) ?? {}), why }));
    throw notEvicted(remaining);
  }

  /** Resolves once the API server has accepted it, or it can't be evicted. */
  async #evict(pod: Pod, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#ask(pod, signal);
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        if (!(thrown instanceof KubernetesError)) throw thrown;
        // It is gone, or another pod has its name.
        if (thrown.status === 404 || thrown.status === 409) return;
        const { willRetry, waitMs } = judged(thrown, attempt);
        this.#refusedBy(pod, thrown, willRetry);
        if (!willRetry) return;
        await clock.sleep(waitMs, signal);
        if (!this.#left.has(uidOf(pod))) return;
      }
    }
  }

  #ask(pod: Pod, signal: AbortSignal): Promise<unknown> {
    const { server, options } = this.#options;
    const { name = "", namespace = "", uid } = pod.metadata ?? {};
    const path = `/api/v1/namespaces/${segment(namespace)}/pods/${segment(name)}`;
    const { gracePeriodSeconds } = options;
    const deleteOptions = {
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    };
    if (options.disablesEviction === true)
      return server.delete(path, signal, { body: { apiVersion: "v1", kind: "DeleteOptions", ...deleteOptions } });
    const eviction: EvictionObject & KubernetesObject = {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name, namespace, labels: { [OWN_EVICTION.label]: OWN_EVICTION.value } },
      deleteOptions,
    };
    return server.create(`${path}/eviction`, eviction, signal);
  }

  #refusedBy(pod: Pod, error: KubernetesError, willRetry: boolean): void {
    const name = podName(pod);
    const budgets = budgetOf(error);
    const why = budgets === undefined ? error.message : `the disruption budget ${budgets} does not allow it now`;
    const what = new DrainError(codeOf(error, willRetry), why, { cause: error });
    if (!willRetry) this.#refused.set(uidOf(pod), why);
    if (this.#reported.get(name) === what.message) return;
    this.#reported.set(name, what.message);
    const budget = budgets === undefined ? {} : { budget: budgets };
    this.#options.onEvent({ type: "eviction-refused", pod: name, ...budget, willRetry, error: what });
  }

  /** Those that can't be evicted are not waited for. */
  async #untilGone(signal: AbortSignal): Promise<void> {
    const { server, clock, options, onEvent } = this.#options;
    while ([...this.#left.keys()].some((uid) => !this.#refused.has(uid))) {
      await clock.sleep(READ_MS, signal);
      const there = await this.#untilDone(
        (within) => podsOn(server, this.#node, options.podSelectors ?? [undefined], within),
        signal,
      );
      const uids = new Set(there.map(uidOf));
      const gone = [...this.#left].filter(([uid]) => !uids.has(uid));
      for (const [uid] of gone) {
        this.#left.delete(uid);
        this.#refused.delete(uid);
      }
      if (gone.length > 0) onEvent({ type: "evicted", pods: gone.map(([, pod]) => podName(pod)) });
    }
  }

  /** Repeats what fails in passing. */
  async #untilDone<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, onEvent } = this.#options;
    let told: string | undefined;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work(signal);
      } catch (thrown) {
        signal.throwIfAborted();
        const error = asDrainError(asClusterError(thrown));
        if (!error.isPassing) throw error;
        if (told !== error.message) onEvent({ type: "evict-failed", error });
        told = error.message;
        await clock.sleep(backOffMs(attempt, RETRY), signal);
      }
    }
  }
}

/** How long the longest of them has to end, in milliseconds. */
export function longestGraceMs(pods: readonly Pod[], options: JointEviction): number {
  return Math.max(0, ...pods.map((pod) => graceSeconds(pod, options))) * 1_000;
}

function judged(error: KubernetesError, attempt: number): { readonly willRetry: boolean; readonly waitMs: number } {
  const { status, retryAfterMs, isPassing, causes, message } = error;
  if (status === 429) return { willRetry: true, waitMs: retryAfterMs ?? REFUSED_RETRY_MS };
  // Of two budgets the API server can't tell which one counts: only an operator can mend that.
  if (status === 500 && TWO_BUDGETS.test(message)) return { willRetry: false, waitMs: 0 };
  // Its namespace is being deleted, and the pod with it.
  const isEnding = causes.some(({ reason }) => reason === "NamespaceTerminating");
  return { willRetry: isPassing || isEnding, waitMs: retryAfterMs ?? backOffMs(attempt, RETRY) };
}

function budgetOf({ status, causes }: KubernetesError): string | undefined {
  if (status !== 429) return undefined;
  const cause = causes.find(({ reason }) => reason === "DisruptionBudget");
  return BUDGET_NAME.exec(cause?.message ?? "")?.[1];
}

function codeOf(error: KubernetesError, willRetry: boolean): DrainErrorCode {
  const known = asClusterError(error);
  return willRetry && known instanceof DrainError ? known.code : "not-evicted";
}
