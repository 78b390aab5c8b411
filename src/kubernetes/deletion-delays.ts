import type { Clock } from "../drain/clock.ts";
import { AUTOSCALER_TAINT, type ClusterNode } from "../drain/cluster.ts";
import { backOffMs } from "../drain/limit.ts";
import type { ApiServer } from "./api-server.ts";
import type { KubernetesError } from "./errors.ts";
import { applyToNode, DELAY_PREFIX } from "./nodes.ts";
import type { Node } from "./objects.ts";
import type { Watch } from "./watch.ts";

/** While a Node object has this annotation, cluster-autoscaler does not terminate its machine, for a limited time. */
export const DELAY_ANNOTATION = `${DELAY_PREFIX}hasta-la-vista`;
/** Owns only this annotation. */
const DELAY_MANAGER = "hasta-la-vista-deletion-delay";
const RETRY = { firstMs: 2_000, maxMs: 60_000 };

/** Reported once until it succeeds. */
export interface DelayTrouble {
  readonly node: string;
  readonly wanted: boolean;
  readonly error: KubernetesError;
}

export interface DeletionDelaysOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly nodes: Watch<Node, ClusterNode>;
  readonly onTrouble: (trouble: DelayTrouble) => void;
}

/**
 * Keeps the annotation that delays a deletion on every node until the node is drained. cluster-autoscaler looks for the
 * annotation before it sets its taint, so that 20 ms after the taint is too late.
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#how-can-i-delay-the-deletion-of-a-node
 */
export class DeletionDelays {
  readonly #options: DeletionDelaysOptions;
  /** The ids of the instances that may be terminated. */
  readonly #released = new Set<string>();
  /** By the node's name: the request in progress. */
  readonly #writing = new Map<string, Promise<void>>();
  #signal: AbortSignal | undefined;

  constructor(options: DeletionDelaysOptions) {
    this.#options = options;
  }

  /** The machine may be terminated. */
  release(instanceId: string): void {
    this.#released.add(instanceId);
    this.#mendInstance(instanceId);
  }

  /** The machine stays. */
  retain(instanceId: string): void {
    if (this.#released.delete(instanceId)) this.#mendInstance(instanceId);
  }

  /** Runs until `signal` aborts. Rejects with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    this.#signal = signal;
    try {
      for await (const change of this.#options.nodes.changes(signal)) {
        if (change.kind !== "deleted") this.#mend(change.key, signal);
        else if (change.value.instanceId !== undefined) this.#released.delete(change.value.instanceId);
      }
      throw signal.reason;
    } finally {
      await Promise.all(this.#writing.values());
    }
  }

  #mendInstance(instanceId: string): void {
    for (const [key, node] of this.#options.nodes.entries())
      if (node.instanceId === instanceId && this.#signal !== undefined) this.#mend(key, this.#signal);
  }

  #mend(key: string, signal: AbortSignal): void {
    if (this.#writing.has(key)) return;
    // It rejects only when the program ends.
    this.#writing.set(
      key,
      this.#untilAsWanted(key, signal).catch(() => {}),
    );
  }

  async #untilAsWanted(key: string, signal: AbortSignal): Promise<void> {
    const { clock, nodes, onTrouble } = this.#options;
    let written: boolean | undefined;
    await Promise.resolve();
    try {
      for (let attempt = 0; ; ) {
        const node = nodes.get(key);
        const wanted = node && this.#isWanted(node);
        if (node === undefined || wanted === undefined) return;
        // The watch may not have shown the last change yet.
        if (wanted === (written ?? DELAY_ANNOTATION in node.annotations)) return;
        try {
          await this.#write(node, wanted, signal);
          [written, attempt] = [wanted, 0];
        } catch (thrown) {
          signal.throwIfAborted();
          const error = thrown as KubernetesError;
          // The node was deleted meanwhile.
          if (error.status === 404 || error.status === 409) return;
          if (attempt === 0) onTrouble({ node: node.name, wanted, error });
          await clock.sleep(backOffMs(attempt, RETRY), signal);
          attempt += 1;
        }
      }
    } finally {
      // At once, so that the next change starts a new request.
      this.#writing.delete(key);
    }
  }

  /** Undefined: it is not changed. */
  #isWanted({ instanceId, taints }: ClusterNode): boolean | undefined {
    if (instanceId === undefined) return undefined;
    if (this.#released.has(instanceId)) return false;
    return taints.some(({ key }) => key === AUTOSCALER_TAINT) ? undefined : true;
  }

  #write(node: ClusterNode, wanted: boolean, signal: AbortSignal): Promise<void> {
    const annotations: Record<string, string> = wanted ? { [DELAY_ANNOTATION]: "true" } : {};
    const options = { fieldManager: DELAY_MANAGER, force: true, turn: wanted ? "background" : "in-order" } as const;
    return applyToNode(this.#options.server, node, { annotations }, options, signal);
  }
}
