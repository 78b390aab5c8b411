import type { Node } from "./cloud-provider.ts";

/**
 * Keeps a node out of the load balancers of every controller. The value is `true`: of any other value controllers differ.
 * https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-exclude-from-external-load-balancers
 */
export const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

/** A machine as the cluster finds it: by its instance id, or by the name of its Node object. */
export type ClusterMember = Pick<Node, "id" | "name">;

/**
 * What the core needs from Kubernetes. Implementations: Kubernetes, and one in memory in the tests. Where there is none, the
 * drainer has no cluster.
 *
 * Every method throws `DrainError`, and is safe to repeat. A machine that has no Node object in the cluster is not an error.
 */
export interface Cluster {
  /**
   * Marks the node, so that the cluster's controllers take it out of load balancers and do not register it again. Resolves
   * once the cluster has acknowledged that, with the name of the Node object; undefined where there is none.
   */
  exclude(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;

  /** Takes the mark of `exclude` back. A mark that another program has set stays. Resolves as `exclude` does. */
  include(node: ClusterMember, signal: AbortSignal): Promise<string | undefined>;
}
