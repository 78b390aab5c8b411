import type { ApiName } from "../../../src/simulator/api/answer.ts";

/** An action that drains need, and the API whose it is: two of them have DescribeTags. */
export interface MatrixCall {
  readonly api: Exclude<ApiName, "autoscaling">;
  /** As IAM policies name it: `elasticloadbalancing:DescribeTags`. */
  readonly action: string;
  /** What AWS says when what the call is about does not exist. */
  readonly notFound: string;
  /** Whether it names pools, which may vanish between two calls. */
  readonly namesPools: boolean;
}

/** Both ELB APIs have DescribeTags and DescribeLoadBalancers: the version tells whose a call is. */
export const VERSIONS = { ec2: "2016-11-15", classic: "2012-06-01", elbv2: "2015-12-01" } as const;

const ELB = "elasticloadbalancing";

export const CALLS = {
  "ec2 DescribeInstances": {
    api: "ec2",
    action: "ec2:DescribeInstances",
    notFound: "InvalidInstanceID.NotFound",
    namesPools: false,
  },
  "elbv2 DescribeTargetGroups": {
    api: "elbv2",
    action: `${ELB}:DescribeTargetGroups`,
    notFound: "TargetGroupNotFound",
    namesPools: false,
  },
  "elbv2 DescribeTargetHealth": {
    api: "elbv2",
    action: `${ELB}:DescribeTargetHealth`,
    notFound: "TargetGroupNotFound",
    namesPools: true,
  },
  "elbv2 DescribeTargetGroupAttributes": {
    api: "elbv2",
    action: `${ELB}:DescribeTargetGroupAttributes`,
    notFound: "TargetGroupNotFound",
    namesPools: true,
  },
  "elbv2 DescribeTags": {
    api: "elbv2",
    action: `${ELB}:DescribeTags`,
    notFound: "TargetGroupNotFound",
    namesPools: true,
  },
  "elbv2 DeregisterTargets": {
    api: "elbv2",
    action: `${ELB}:DeregisterTargets`,
    notFound: "TargetGroupNotFound",
    namesPools: true,
  },
  "classic DescribeLoadBalancers": {
    api: "classic",
    action: `${ELB}:DescribeLoadBalancers`,
    notFound: "LoadBalancerNotFound",
    namesPools: false,
  },
  "classic DescribeInstanceHealth": {
    api: "classic",
    action: `${ELB}:DescribeInstanceHealth`,
    notFound: "LoadBalancerNotFound",
    namesPools: true,
  },
  "classic DescribeLoadBalancerAttributes": {
    api: "classic",
    action: `${ELB}:DescribeLoadBalancerAttributes`,
    notFound: "LoadBalancerNotFound",
    namesPools: true,
  },
  "classic DescribeTags": {
    api: "classic",
    action: `${ELB}:DescribeTags`,
    notFound: "LoadBalancerNotFound",
    namesPools: true,
  },
  "classic DeregisterInstancesFromLoadBalancer": {
    api: "classic",
    action: `${ELB}:DeregisterInstancesFromLoadBalancer`,
    notFound: "LoadBalancerNotFound",
    namesPools: true,
  },
} as const satisfies Readonly<Record<string, MatrixCall>>;

export type CallName = keyof typeof CALLS;
