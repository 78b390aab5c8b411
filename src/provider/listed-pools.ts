import { DescribeLoadBalancersCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DescribeTargetGroupsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isPoolGone, UnusableAnswer } from "../aws/errors.ts";
import type { CallFor } from "../drain/cloud-provider.ts";

export const LIST_GROUPS: AwsAction = {
  name: "elasticloadbalancing:DescribeTargetGroups",
  bucket: "v2-read",
  answersWith: "TargetGroups",
};
export const LIST_CLASSICS: AwsAction = {
  name: "elasticloadbalancing:DescribeLoadBalancers",
  bucket: "classic-read",
  answersWith: "LoadBalancerDescriptions",
};

/**
 * As `send`, one attempt of a call about the target group or load balancer with this ARN, or the classic load balancer
 * with this name. AWS may answer that a resource which was created a moment ago does not exist, although it serves a
 * node. If AWS lists it, the call is repeated (`UnusableAnswer`).
 */
export async function unlessListed<T>(aws: AwsAccess, id: string, by: CallFor, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (!isPoolGone(error) || !(await isListed(aws, id, by))) throw error;
    throw new UnusableAnswer(`it says that ${id} does not exist, and AWS lists it`, { cause: error });
  }
}

async function isListed({ caller, v2, classic }: AwsAccess, id: string, by: CallFor): Promise<boolean> {
  const abort = { abortSignal: by.signal };
  try {
    if (id.startsWith("arn:")) {
      // Whether a load balancer exists can be read without a further permission: by its groups.
      const input = id.includes(":targetgroup/") ? { TargetGroupArns: [id] } : { LoadBalancerArn: id };
      await caller.call(LIST_GROUPS, by, () => v2.send(new DescribeTargetGroupsCommand(input), abort));
    } else {
      const input = { LoadBalancerNames: [id] };
      await caller.call(LIST_CLASSICS, by, () => classic.send(new DescribeLoadBalancersCommand(input), abort));
    }
    return true;
  } catch (error) {
    if (isPoolGone(error)) return false;
    throw error;
  }
}
