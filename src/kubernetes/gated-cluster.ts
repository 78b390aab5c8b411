import type { ClusterNode } from "../drain/cluster.ts";
import type { AskedEviction, GatedCluster, GatedNode, GatedPod } from "../drain/eviction-gate.ts";
import type { ServerTime } from "../drain/server-time.ts";
import { type ApiServer, segment } from "./api-server.ts";
import { asClusterError } from "./errors.ts";
import { clusterNode, nodePath } from "./nodes.ts";
import type { Node, Pod } from "./objects.ts";
import { gatedPod } from "./pods.ts";

/** The gate's own limit is a little longer. */
const TIMEOUT_MS = 1_500;

export interface KubernetesGateOptions {
  readonly server: ApiServer;
  /** The Node objects as they were read last, by their names. */
  readonly nodes: { get(name: string): ClusterNode | undefined };
  /** The cluster's clock, by which its programs state deadlines. */
  readonly time: Pick<ServerTime, "here">;
  /** The departure that a Node object announces. Undefined: none. */
  readonly departureOf: (node: ClusterNode) => { readonly evictBy?: number } | undefined;
}

/** What the eviction gate reads of a Kubernetes cluster. Throws `DrainError`. */
export class KubernetesGate implements GatedCluster {
  readonly #options: KubernetesGateOptions;

  constructor(options: KubernetesGateOptions) {
    this.#options = options;
  }

  async pod({ namespace, name }: AskedEviction, signal: AbortSignal): Promise<GatedPod | undefined> {
    const path = `/api/v1/namespaces/${segment(namespace)}/pods/${segment(name)}`;
    const pod = await this.#get<Pod>(path, signal);
    return pod && gatedPod(pod);
  }

  known(name: string): GatedNode | undefined {
    const node = this.#options.nodes.get(name);
    return node && this.#gated(node);
  }

  async node(name: string, signal: AbortSignal): Promise<GatedNode | undefined> {
    const node = await this.#get<Node>(nodePath(name), signal);
    return node && this.#gated(clusterNode(node));
  }

  #gated(node: ClusterNode): GatedNode {
    const { instanceId } = node;
    const departure = this.#options.departureOf(node);
    return {
      ...(instanceId !== undefined && { instanceId }),
      isLeaving: departure !== undefined,
      ...(departure?.evictBy !== undefined && { evictBy: this.#options.time.here(departure.evictBy) }),
    };
  }

  async #get<T>(path: string, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.#options.server.find<T>(path, TIMEOUT_MS, signal);
    } catch (error) {
      throw asClusterError(error);
    }
  }
}
