import type { ApiName } from "../../../src/simulator/api/answer.ts";

/** An action that `src` calls, and the API whose it is: two of them have DescribeTags. */
export interface MatrixCall {
  readonly api: ApiName | "sqs";
  /** As IAM policies name it: `elasticloadbalancing:DescribeTags`. */
  readonly action: string;
  /** What AWS says when what the call is about does not exist. */
  readonly notFound: string;
  /** In these words, where the code alone does not say it. */
  readonly notFoundMessage?: string;
  /** Whether it names pools, which may vanish between two calls. */
  readonly namesPools: boolean;
}

/** Both ELB APIs have DescribeTags and DescribeLoadBalancers: the version tells whose a call is. */
export const VERSIONS = {
  ec2: "2016-11-15",
  classic: "2012-06-01",
  elbv2: "2015-12-01",
  autoscaling: "2011-01-01",
} as const;

const ELB = "elasticloadbalancing";
const OF_A_HOOK = {
  api: "autoscaling",
  notFound: "ValidationError",
  notFoundMessage: "AutoScalingGroup name not found - no such group: workers",
  namesPools: false,
} as const;
const OF_A_QUEUE = { api: "sqs", notFound: "QueueDoesNotExist", namesPools: false } as const;

export const CALLS = {
  "ec2 DescribeInstances": {
    api: "ec2",
    action: "ec2:DescribeInstances",
    notFound: "InvalidInstanceID.NotFound",
    namesPools: false,
  },
  "ec2 DescribeNetworkInterfaces": {
    api: "ec2",
    action: "ec2:DescribeNetworkInterfaces",
    notFound: "InvalidNetworkInterfaceID.NotFound",
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
  "elbv2 DescribeListeners": {
    api: "elbv2",
    action: `${ELB}:DescribeListeners`,
    notFound: "LoadBalancerNotFound",
    namesPools: true,
  },
  "elbv2 DescribeListenerAttributes": {
    api: "elbv2",
    action: `${ELB}:DescribeListenerAttributes`,
    notFound: "ListenerNotFound",
    namesPools: false,
  },
  "elbv2 DescribeLoadBalancerAttributes": {
    api: "elbv2",
    action: `${ELB}:DescribeLoadBalancerAttributes`,
    notFound: "LoadBalancerNotFound",
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
  "elbv2 RegisterTargets": {
    api: "elbv2",
    action: `${ELB}:RegisterTargets`,
    notFound: "TargetGroupNotFound",
    namesPools: true,
  },
  "classic RegisterInstancesWithLoadBalancer": {
    api: "classic",
    action: `${ELB}:RegisterInstancesWithLoadBalancer`,
    notFound: "LoadBalancerNotFound",
    namesPools: true,
  },
  "autoscaling DescribeAutoScalingInstances": { ...OF_A_HOOK, action: "autoscaling:DescribeAutoScalingInstances" },
  "autoscaling DescribeLifecycleHooks": { ...OF_A_HOOK, action: "autoscaling:DescribeLifecycleHooks" },
  "autoscaling RecordLifecycleActionHeartbeat": { ...OF_A_HOOK, action: "autoscaling:RecordLifecycleActionHeartbeat" },
  "autoscaling CompleteLifecycleAction": { ...OF_A_HOOK, action: "autoscaling:CompleteLifecycleAction" },
  "sqs GetQueueUrl": { ...OF_A_QUEUE, action: "sqs:GetQueueUrl" },
  "sqs ReceiveMessage": { ...OF_A_QUEUE, action: "sqs:ReceiveMessage" },
  "sqs ChangeMessageVisibilityBatch": { ...OF_A_QUEUE, action: "sqs:ChangeMessageVisibility" },
  "sqs DeleteMessageBatch": { ...OF_A_QUEUE, action: "sqs:DeleteMessage" },
  "sqs SendMessage": { ...OF_A_QUEUE, action: "sqs:SendMessage" },
} as const satisfies Readonly<Record<string, MatrixCall>>;

export type CallName = keyof typeof CALLS;

/** What the call is named on the wire: `DeleteMessageBatch`. */
export function wireNameOf(call: CallName): string {
  return call.slice(call.indexOf(" ") + 1);
}
