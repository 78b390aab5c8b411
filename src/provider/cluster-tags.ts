import { CLUSTER_KEY_PREFIX, POOL_CLUSTER_KEYS } from "../aws/policy.ts";

/** EKS, Karpenter and legacy kOps put it into the value of these. */
const INSTANCE_CLUSTER_KEYS = ["aws:eks:cluster-name", "eks:cluster-name", "eks:eks-cluster-name", "KubernetesCluster"];

export interface InstanceCluster {
  /** The different clusters that the tags name: one, if all is well. */
  readonly names: readonly string[];
  /** The tags that say so. */
  readonly tags: readonly string[];
}

/** The cluster that an instance's tags name. */
export function clusterOf(tags: ReadonlyMap<string, string>): InstanceCluster {
  const names = new Set<string>();
  const found: string[] = [];
  for (const [key, value] of tags) {
    const name = key.startsWith(CLUSTER_KEY_PREFIX)
      ? key.slice(CLUSTER_KEY_PREFIX.length)
      : INSTANCE_CLUSTER_KEYS.includes(key)
        ? value
        : "";
    if (name === "") continue;
    names.add(name);
    found.push(`${key}=${value}`);
  }
  return { names: [...names], tags: found };
}

/** Whether a target group or load balancer belongs to the cluster, by the tag of either controller. */
export function carriesClusterTag(tags: ReadonlyMap<string, string>, cluster: string): boolean {
  return tags.has(CLUSTER_KEY_PREFIX + cluster) || POOL_CLUSTER_KEYS.some((key) => tags.get(key) === cluster);
}
