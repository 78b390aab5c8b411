import type { Clock } from "../drain/clock.ts";
import { asDrainError, DrainError, type DrainErrorCode } from "../drain/errors.ts";
import { type JointEviction, notEvicted, OWN_EVICTION } from "../drain/eviction.ts";
import { backOffMs } from "../drain/limit.ts";
import type { EvictionStep } from "../drain/steps.ts";
import { type ApiServer, segment } from "./api-server.ts";
import { asClusterError, KubernetesError } from "./errors.ts";
import type { NodePods } from "./node-pods.ts";
import type { Eviction as EvictionObject, KubernetesObject } from "./objects.ts";
import { evictable, graceOf, type NodePod, obstacleTo } from "./pods.ts";

/** For a budget that does not say when to try again: the same interval as `kubectl drain`. */
const REFUSED_RETRY_MS = 5_000;
const RETRY = { firstMs: 1_000, maxMs: 15_000 };
/** How often the pods of the node are read while they terminate. */
const READ_MS = 2_000;
/**
 * The words of the API server:
 * https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/pod/storage/eviction.go
 */
const TWO_BUDGETS = /more than one PodDisruptionBudget/i;
const BUDGET_NAME = /disruption budget (\S+)/i;

export interface NodeEvictionOptions {
  readonly server: ApiServer;
  readonly pods: NodePods;
  readonly clock: Clock;
  readonly options: JointEviction;
  readonly onEvent: (step: EvictionStep) => void;
}

/** The pods on the node that the options select. */
function selectedPods(
  pods: NodePods,
  node: string,
  { podSelectors }: JointEviction,
  signal: AbortSignal,
): Promise<readonly NodePod[]> {
  return podSelectors === undefined ? pods.on(node, signal) : pods.selected(node, podSelectors, signal);
}

/** The pods that an eviction applies to. Throws `not-evicted` if the options do not allow it. */
export async function podsToEvict(
  pods: NodePods,
  node: string,
  options: JointEviction,
  signal: AbortSignal,
): Promise<readonly NodePod[]> {
  const taken = evictable(await selectedPods(pods, node, options, signal), options);
  const obstacle = obstacleTo(taken, options);
  if (obstacle !== undefined) throw new DrainError("not-evicted", `the pods of ${node} are not evicted: ${obstacle}`);
  return taken;
}

/** Evicts the pods of one node. https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ */
export class NodeEviction {
  readonly #options: NodeEvictionOptions;
  #node = "";
  /** The pods that it has begun to evict, by uid. */
  readonly #taken = new Set<string>();
  /** The pods that still exist, by uid. */
  readonly #left = new Map<string, NodePod>();
  /** Why pods can't be evicted, by uid. */
  readonly #refused = new Map<string, string>();
  readonly #reported = new Map<string, string>();

  constructor(options: NodeEvictionOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the pods are gone. Throws `not-evicted`, or the reason of `signal`. `cordon` marks the node
   * unschedulable when its pods may be evicted, and resolves with its name and the pods. Undefined: there is no such
   * node.
   */
  async run(
    cordon: (signal: AbortSignal) => Promise<{ readonly name: string; readonly pods: readonly NodePod[] } | undefined>,
    signal: AbortSignal,
  ): Promise<void> {
    const cordoned = await this.#untilDone(cordon, signal);
    if (cordoned === undefined) return;
    this.#node = cordoned.name;
    const evicting = this.#take(cordoned.pods, signal);
    evicting.push(...(await this.#untilGone(signal)));
    await Promise.all(evicting);
    if (this.#refused.size === 0) return;
    const remaining = [...this.#refused].map(([uid, why]) => ({ pod: this.#left.get(uid)?.name ?? uid, why }));
    throw notEvicted(remaining);
  }

  /** Each promise resolves when the API server has accepted the pod's eviction, or when the pod can't be evicted. */
  #take(pods: readonly NodePod[], signal: AbortSignal): Promise<void>[] {
    for (const pod of pods) {
      this.#taken.add(pod.uid);
      this.#left.set(pod.uid, pod);
    }
    this.#options.onEvent({ type: "evicting", pods: pods.map(({ name }) => name) });
    return pods
      .filter(({ isTerminating }) => !isTerminating)
      .map((pod) =>
        this.#evict(pod, signal).catch((error: unknown) => {
          if (!signal.aborted) this.#refuse(pod, asDrainError(error));
        }),
      );
  }

  /** Resolves when the API server has accepted the eviction, or when the pod can't be evicted. */
  async #evict(pod: NodePod, signal: AbortSignal): Promise<void> {
    const { clock, options } = this.#options;
    const obstacle = obstacleTo([pod], options);
    if (obstacle !== undefined) throw new DrainError("not-evicted", obstacle);
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#ask(pod, signal);
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        if (!(thrown instanceof KubernetesError)) throw thrown;
        // The pod is gone, or another pod has its name.
        if (thrown.status === 404 || thrown.status === 409) return;
        const { willRetry, waitMs } = judged(thrown, attempt);
        this.#refusedBy(pod, thrown, willRetry);
        if (!willRetry) return;
        await clock.sleep(waitMs, signal);
        if (!this.#left.has(pod.uid)) return;
      }
    }
  }

  #ask(pod: NodePod, signal: AbortSignal): Promise<unknown> {
    const { server, options } = this.#options;
    const [namespace = "", name = ""] = pod.name.split("/");
    const path = `/api/v1/namespaces/${segment(namespace)}/pods/${segment(name)}`;
    const { gracePeriodSeconds } = options;
    const deleteOptions = {
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(pod.uid !== "" && { preconditions: { uid: pod.uid } }),
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

  #refusedBy(pod: NodePod, error: KubernetesError, willRetry: boolean): void {
    const budget = budgetOf(error);
    const why = budget === undefined ? error.message : `the disruption budget ${budget} does not allow it now`;
    const what = new DrainError(codeOf(error, willRetry), why, { cause: error });
    if (!willRetry) this.#refuse(pod, what);
    else this.#report(pod, what, { willRetry, ...(budget !== undefined && { budget }) });
  }

  /** The eviction does not wait for this pod. */
  #refuse(pod: NodePod, why: DrainError): void {
    this.#refused.set(pod.uid, why.message);
    this.#report(pod, why, { willRetry: false });
  }

  #report(
    { name: pod }: NodePod,
    error: DrainError,
    more: { readonly willRetry: boolean; readonly budget?: string },
  ): void {
    if (this.#reported.get(pod) === error.message) return;
    this.#reported.set(pod, error.message);
    this.#options.onEvent({ type: "eviction-refused", pod, ...more, error });
  }

  /** Resolves with the evictions of pods that the scheduler has put on the node before it knew of the cordon. */
  async #untilGone(signal: AbortSignal): Promise<readonly Promise<void>[]> {
    const { pods, clock, options, onEvent } = this.#options;
    const asked: Promise<void>[] = [];
    let isFirst = true;
    do {
      await clock.sleep(READ_MS, signal);
      const read = (within: AbortSignal) =>
        isFirst || options.podSelectors !== undefined
          ? selectedPods(pods, this.#node, options, within)
          : pods.seenOn(this.#node, within);
      const there = await this.#untilDone(read, signal);
      isFirst = false;
      const uids = new Set(there.map(({ uid }) => uid));
      const gone = [...this.#left.values()].filter(({ uid }) => !uids.has(uid));
      for (const { uid } of gone) {
        this.#left.delete(uid);
        this.#refused.delete(uid);
      }
      if (gone.length > 0) onEvent({ type: "evicted", pods: gone.map(({ name }) => name) });
      const late = evictable(there, options).filter(({ uid }) => !this.#taken.has(uid));
      if (late.length > 0) asked.push(...this.#take(late, signal));
      // It does not wait for those that can't be evicted.
    } while ([...this.#left.keys()].some((uid) => !this.#refused.has(uid)));
    return asked;
  }

  /** Retries temporary failures. */
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

/** The longest grace period of the pods, in milliseconds. */
export function longestGraceMs(pods: readonly NodePod[], options: JointEviction): number {
  return Math.max(0, ...pods.map((pod) => graceOf(pod, options))) * 1_000;
}

function judged(error: KubernetesError, attempt: number): { readonly willRetry: boolean; readonly waitMs: number } {
  const { status, retryAfterMs, isPassing, causes, message } = error;
  if (status === 429) return { willRetry: true, waitMs: retryAfterMs ?? REFUSED_RETRY_MS };
  // With two budgets, the API server can't decide which one applies. Only an operator can change that.
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
