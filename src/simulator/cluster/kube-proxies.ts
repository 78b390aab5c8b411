import type { World } from "../world/world.ts";
import { type ClusterNode, instanceIdOf } from "./cluster-node.ts";

const AUTOSCALER_TAINT = "ToBeDeletedByClusterAutoscaler";

/**
 * What kube-proxy 1.31 and later answers on each node, at port 10256 and path /healthz: 503 while the Node object is being
 * deleted, or has cluster-autoscaler's taint with any value and effect. It watches its Node object, and knows at once. A
 * node that is no more in the list stays as it was: kube-proxy keeps what it has seen last.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/proxy/healthcheck/proxy_health.go
 */
export class KubeProxies {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Takes each list of nodes as it comes, until the lists end or `signal` aborts. */
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
