import type { World } from "../world/world.ts";
import { type ClusterNode, instanceIdOf } from "./cluster-node.ts";

const AUTOSCALER_TAINT = "ToBeDeletedByClusterAutoscaler";

/**
 * The answers of kube-proxy 1.31 and later on each node, at port 10256 and path /healthz: 503 while the Node object is
 * being deleted, or has cluster-autoscaler's taint with any value and effect. It watches its Node object, so its answer
 * changes at once. A node that is missing in the list keeps its state, because kube-proxy keeps the last state that it
 * knows.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/proxy/healthcheck/proxy_health.go
 */
export class KubeProxies {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Applies each list of nodes, until the lists end or `signal` aborts. */
  async follow(lists: AsyncIterable<readonly ClusterNode[]>, signal: AbortSignal): Promise<void> {
    for await (const nodes of lists) {
      if (signal.aborted) return;
      this.setNodes(nodes);
    }
  }

  setNodes(nodes: readonly ClusterNode[]): void {
    for (const node of nodes) {
      const instance = this.#world.instance(instanceIdOf(node) ?? "");
      if (instance !== undefined) this.#world.setEligible(instance, isEligible(node));
    }
  }
}

function isEligible({ taints, isBeingDeleted }: ClusterNode): boolean {
  return isBeingDeleted !== true && !taints.some(({ key }) => key === AUTOSCALER_TAINT);
}
