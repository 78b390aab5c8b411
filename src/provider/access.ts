import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import {
  DescribeTagsCommand as DescribeClassicTagsCommand,
  DescribeInstanceHealthCommand,
  DescribeLoadBalancerAttributesCommand,
  DescribeLoadBalancersCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  DescribeTagsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { isPoolGone, isTargetGone } from "../aws/errors.ts";
import type { Bucket } from "../aws/request-quota.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { type AccessProblem, asDrainError } from "../drain/errors.ts";

type Attempt = <T>(action: string, bucket: Bucket, send: () => Promise<T>) => Promise<T | undefined>;

export interface AccessCheckOptions {
  readonly discovery: "vpc" | "tag";
}

/** EC2 takes no smaller page. */
const INSTANCES_PER_PAGE_MIN = 5;

/**
 * Makes every read that a drain makes, each as small as it can be. Resolves to what AWS denies; where the first failure
 * is another one, such as missing credentials, every call would meet it, and it is the only one. Throttled calls and
 * pools that vanish are no problems. What needs a pool to ask about is left out where there is none.
 */
export async function checkAccess(
  aws: AwsAccess,
  { discovery }: AccessCheckOptions,
  signal: AbortSignal,
): Promise<readonly AccessProblem[]> {
  const denied: AccessProblem[] = [];
  let fatal: AccessProblem | undefined;
  const by: CallFor = { urgency: () => ({ purpose: "refresh", deadline: Number.POSITIVE_INFINITY }), signal };
  const attempt: Attempt = async (name, bucket, send) => {
    if (fatal !== undefined) return undefined;
    try {
      return await aws.caller.call({ name, bucket }, by, send);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asDrainError(thrown);
      if (error.code === "access-denied") denied.push({ action: name, error });
      else if (error.code !== "throttled" && !isPoolGone(error) && !isTargetGone(error))
        fatal = { action: name, error };
      return undefined;
    }
  };
  const abort = { abortSignal: signal };
  const MaxResults = INSTANCES_PER_PAGE_MIN;
  await attempt("ec2:DescribeInstances", "ec2-describe-instances", () =>
    aws.ec2.send(new DescribeInstancesCommand({ MaxResults }), abort),
  );
  await checkTargetGroups(aws, discovery, attempt, signal);
  await checkClassic(aws, discovery, attempt, signal);
  // Both ELB APIs share their actions' names.
  const byAction = new Map(denied.map((problem) => [problem.action, problem]));
  return fatal === undefined ? [...byAction.values()] : [fatal];
}

async function checkTargetGroups(
  { v2 }: AwsAccess,
  discovery: AccessCheckOptions["discovery"],
  attempt: Attempt,
  signal: AbortSignal,
): Promise<void> {
  const abort = { abortSignal: signal };
  const listed = await attempt("elasticloadbalancing:DescribeTargetGroups", "v2-read", () =>
    v2.send(new DescribeTargetGroupsCommand({ PageSize: 1 }), abort),
  );
  const TargetGroupArn = listed?.TargetGroups?.[0]?.TargetGroupArn;
  if (TargetGroupArn === undefined) return;
  await attempt("elasticloadbalancing:DescribeTargetGroupAttributes", "v2-read", () =>
    v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn }), abort),
  );
  await attempt("elasticloadbalancing:DescribeTargetHealth", "v2-read", () =>
    v2.send(new DescribeTargetHealthCommand({ TargetGroupArn }), abort),
  );
  if (discovery !== "tag") return;
  await attempt("elasticloadbalancing:DescribeTags", "v2-read", () =>
    v2.send(new DescribeTagsCommand({ ResourceArns: [TargetGroupArn] }), abort),
  );
}

async function checkClassic(
  { classic }: AwsAccess,
  discovery: AccessCheckOptions["discovery"],
  attempt: Attempt,
  signal: AbortSignal,
): Promise<void> {
  const abort = { abortSignal: signal };
  const listed = await attempt("elasticloadbalancing:DescribeLoadBalancers", "classic-read", () =>
    classic.send(new DescribeLoadBalancersCommand({ PageSize: 1 }), abort),
  );
  const [loadBalancer] = listed?.LoadBalancerDescriptions ?? [];
  const LoadBalancerName = loadBalancer?.LoadBalancerName;
  if (LoadBalancerName === undefined) return;
  const Instances = loadBalancer?.Instances?.slice(0, 1) ?? [];
  await attempt("elasticloadbalancing:DescribeLoadBalancerAttributes", "classic-read", () =>
    classic.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerName }), abort),
  );
  await attempt("elasticloadbalancing:DescribeInstanceHealth", "classic-read", () =>
    classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName, Instances }), abort),
  );
  if (discovery !== "tag") return;
  await attempt("elasticloadbalancing:DescribeTags", "classic-read", () =>
    classic.send(new DescribeClassicTagsCommand({ LoadBalancerNames: [LoadBalancerName] }), abort),
  );
}
