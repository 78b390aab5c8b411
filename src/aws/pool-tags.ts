/** Cloud controllers, kOps, eksctl and Karpenter put the cluster's name into the key. */
export const CLUSTER_KEY_PREFIX = "kubernetes.io/cluster/";
/** The cluster is its owner, or one of several that use it. */
const CLUSTER_KEY_VALUES = ["owned", "shared"];
/**
 * The AWS Load Balancer Controller, EKS Auto Mode, the first one's predecessor, and the legacy in-tree provider: the name
 * is the value. https://docs.aws.amazon.com/eks/latest/userguide/auto-elb-example.html
 */
export const POOL_CLUSTER_KEYS = [
  "elbv2.k8s.aws/cluster",
  "eks:eks-cluster-name",
  "ingress.k8s.aws/cluster",
  "KubernetesCluster",
];

/** A tag that a target group or classic load balancer may carry. */
export interface PoolTag {
  readonly key: string;
  /** Any one of them. */
  readonly values: readonly string[];
}

/** Each of these tags alone says that a pool is the cluster's, and lets a policy narrowed to the tag write to it. */
export function poolTags(cluster: string): readonly PoolTag[] {
  return [
    { key: CLUSTER_KEY_PREFIX + cluster, values: CLUSTER_KEY_VALUES },
    ...POOL_CLUSTER_KEYS.map((key) => ({ key, values: [cluster] })),
  ];
}

/** Whether a policy that is narrowed to the cluster's tag lets a pool with these tags be written. */
export function isWritableByTag(tags: ReadonlyMap<string, string>, cluster: string): boolean {
  return poolTags(cluster).some(({ key, values }) => values.includes(tags.get(key) ?? ""));
}
