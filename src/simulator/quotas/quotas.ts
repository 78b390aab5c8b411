import type { ApiCall } from "../api/answer.ts";
import type { BucketSize } from "./token-bucket.ts";

/**
 * The buckets from which calls take tokens: four for each version of Elastic Load Balancing, two for Auto Scaling, and
 * one for each action of EC2.
 */
export interface Quotas {
  readonly nonMutating: BucketSize;
  readonly registration: BucketSize;
  readonly mutating: BucketSize;
  readonly resourceIntensive: BucketSize;
  /** Every call of both versions of Elastic Load Balancing takes a token from this bucket too. */
  readonly account: BucketSize;
  readonly ec2NonMutating: BucketSize;
  /** For DescribeInstances without ids, filters and pages. */
  readonly ec2Unfiltered: BucketSize;
  readonly ec2Mutating: BucketSize;
  readonly ec2Terminate: BucketSize;
  readonly autoScalingNonMutating: BucketSize;
  readonly autoScalingMutating: BucketSize;
  /**
   * The code that Elastic Load Balancing and Auto Scaling really send. It is not the documented one
   * (aws-load-balancer-controller#1871).
   */
  readonly code: "Throttling" | "ThrottlingException";
}

/**
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
 * https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
 */
export const AWS_QUOTAS: Quotas = {
  nonMutating: { tokens: 40, refillPerSecond: 10 },
  registration: { tokens: 20, refillPerSecond: 4 },
  mutating: { tokens: 20, refillPerSecond: 3 },
  resourceIntensive: { tokens: 10, refillPerSecond: 0.2 },
  account: { tokens: 40, refillPerSecond: 10 },
  ec2NonMutating: { tokens: 100, refillPerSecond: 20 },
  ec2Unfiltered: { tokens: 50, refillPerSecond: 10 },
  ec2Mutating: { tokens: 50, refillPerSecond: 5 },
  ec2Terminate: { tokens: 100, refillPerSecond: 5 },
  // AWS publishes no quotas for Auto Scaling. These equal those of Elastic Load Balancing.
  autoScalingNonMutating: { tokens: 40, refillPerSecond: 10 },
  autoScalingMutating: { tokens: 20, refillPerSecond: 3 },
  code: "Throttling",
};

export interface Draw {
  /** Calls with the same name share a bucket. */
  readonly bucket: string;
  readonly size: BucketSize;
}

/** Every bucket from which a call needs a token. The Security Token Service and the tagging API have no limit here. */
export function drawsOf(call: ApiCall, quotas: Quotas): readonly Draw[] {
  if (call.api === "ec2") return [{ bucket: `ec2 ${ec2Bucket(call)}`, size: quotas[ec2Category(call)] }];
  if (call.api === "autoscaling") {
    const own = call.action.startsWith("Describe") ? "autoScalingNonMutating" : "autoScalingMutating";
    return [{ bucket: own, size: quotas[own] }];
  }
  if (call.api === "sts" || call.api === "tagging") return [];
  const category = elbCategory(call.action);
  return [
    { bucket: `${call.api} ${category}`, size: quotas[category] },
    { bucket: "account", size: quotas.account },
  ];
}

const REGISTRATION = /^(Register|Deregister)(Targets|Instances)/;
const RESOURCE_INTENSIVE: ReadonlySet<string> = new Set(["CreateLoadBalancer", "SetSubnets"]);

function elbCategory(action: string) {
  if (action.startsWith("Describe")) return "nonMutating";
  if (REGISTRATION.test(action)) return "registration";
  return RESOURCE_INTENSIVE.has(action) ? "resourceIntensive" : "mutating";
}

function ec2Category(call: ApiCall) {
  if (call.action === "TerminateInstances") return "ec2Terminate";
  if (!call.action.startsWith("Describe")) return "ec2Mutating";
  return isUnfiltered(call) ? "ec2Unfiltered" : "ec2NonMutating";
}

function ec2Bucket(call: ApiCall): string {
  return isUnfiltered(call) ? `${call.action} unfiltered` : call.action;
}

function isUnfiltered({ action, params }: ApiCall): boolean {
  const narrows = ["InstanceId", "Filter", "MaxResults", "NextToken"];
  return action === "DescribeInstances" && narrows.every((name) => params[name] === undefined);
}
