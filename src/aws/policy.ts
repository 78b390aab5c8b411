import { printable } from "../drain/errors.ts";
import type { QueueAddress } from "./queue-address.ts";

/** What a policy is for. */
export interface PolicyNeeds {
  /** Whether anything is deregistered: `plan` only reads. */
  readonly writes: boolean;
  /** Whether deregistered targets may be registered again. */
  readonly undo?: boolean;
  /** The queue whose messages announce departures, including hooks. Absent: none. */
  readonly queue?: QueueAddress;
  /** `false`: the queue is only audited. */
  readonly receives?: boolean;
  /** Whether the termination hook of the machine's own group is completed. The group has to be found first. */
  readonly ownHook?: boolean;
  /** The names of the Auto Scaling groups whose hooks are completed, with `*` and `?` as in IAM. Absent: all. */
  readonly hookGroups?: readonly string[];
  /** Whether the configuration is audited (`doctor`), which reads more than drains do. Absent: it is not. */
  readonly audits?: boolean;
  /**
   * Whether it is for a Lambda function, for which Lambda receives a queue's messages with its role, or which events
   * invoke directly.
   */
  readonly lambda?: boolean;
  /** `tag`: pools are selected by their tags, which must be read. */
  readonly discovery: "vpc" | "tag";
  /** `tag`: only pools with the cluster's tag may be changed. AWS can't restrict these actions to a VPC. */
  readonly scope: "vpc" | "tag";
  /** The scope `tag` needs it. */
  readonly clusterName?: string;
  /** The name of the option that sets it. Absent: CLUSTERNAME. */
  readonly names?: { readonly clusterName: string };
  /** Roles of other accounts, by ARN, that are assumed to do the same there. Absent: none. */
  readonly assumes?: readonly string[];
  /** `false`: these credentials themselves drain nothing. */
  readonly drains?: boolean;
  /** Absent: any region of the partition. */
  readonly region?: string;
  /** Absent: the partition of the region, or `aws`. */
  readonly partition?: Partition;
}

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

/** The principals that may assume a role. */
export interface TrustDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly {
    readonly Effect: "Allow";
    readonly Principal: { readonly AWS: string };
    readonly Action: readonly string[];
    readonly Condition?: { readonly StringEquals: { readonly "sts:ExternalId": string } };
  }[];
}

interface PolicyStatement {
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: { readonly StringEquals: Readonly<Record<string, string | readonly string[]>> };
}

/**
 * Both APIs have one service prefix.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
 */
export const READ_TAGS = "elasticloadbalancing:DescribeTags";
export const READ = [
  "ec2:DescribeInstances",
  "elasticloadbalancing:DescribeInstanceHealth",
  "elasticloadbalancing:DescribeLoadBalancerAttributes",
  "elasticloadbalancing:DescribeLoadBalancers",
  "elasticloadbalancing:DescribeTargetGroupAttributes",
  "elasticloadbalancing:DescribeTargetGroups",
  "elasticloadbalancing:DescribeTargetHealth",
];
/** Actions that a drain can do without: see decisions/0025. */
const READ_OPTIONAL = [
  "ec2:DescribeNetworkInterfaces",
  "elasticloadbalancing:DescribeListenerAttributes",
  "elasticloadbalancing:DescribeListeners",
];
const UNDO = ["elasticloadbalancing:RegisterInstancesWithLoadBalancer", "elasticloadbalancing:RegisterTargets"];
/** IAM has no separate actions for the batches of both. */
const RECEIVE = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"];
/**
 * A message about maintenance that is days ahead is replaced by a copy, before AWS moves it to the dead-letter queue.
 */
const PUT_BACK = "sqs:SendMessage";
const FIND_QUEUE = "sqs:GetQueueUrl";
/** Lambda's own read of the queue. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html */
const POLL_QUEUE = "sqs:GetQueueAttributes";
const READ_HOOKS = "autoscaling:DescribeLifecycleHooks";
const FIND_GROUP = "autoscaling:DescribeAutoScalingInstances";
/** The further reads of doctor. */
const FIND_GROUPS = "autoscaling:DescribeAutoScalingGroups";
const ANSWER_HOOKS = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"];
const WRITE = ["elasticloadbalancing:DeregisterInstancesFromLoadBalancer", "elasticloadbalancing:DeregisterTargets"];

/**
 * The session of a pod with EKS Pod Identity has tags, which are passed to the role that it assumes.
 * https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
 */
const ASSUME_ROLE = ["sts:AssumeRole", "sts:TagSession"];

/** The characters that AWS allows in a tag. A variable (`${…}`) in a policy would mean something else. */
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u;

/**
 * The least permissions for a program with these needs. Throws `RangeError` if no policy can express it. Reads have no
 * resources: AWS allows them for everything or not at all.
 */
export function policyFor(needs: PolicyNeeds): PolicyDocument {
  return {
    Version: "2012-10-17",
    Statement: [
      ...(needs.drains === false ? [] : drainStatements(needs)),
      ...queueStatements(needs),
      ...(needs.drains === false ? [] : hookStatements(needs)),
      ...assumeStatements(needs),
    ],
  };
}

/** The trust policy of a role that `principal`, the ARN of a role or user, may assume. */
export function trustPolicyFor(principal: string, externalId: string | undefined): TrustDocument {
  const Condition = externalId && { StringEquals: { "sts:ExternalId": externalId } };
  const statement = { Effect: "Allow", Principal: { AWS: principal }, Action: ASSUME_ROLE } as const;
  return { Version: "2012-10-17", Statement: [{ ...statement, ...(Condition && { Condition }) }] };
}

/** Everything that these policies allow, each statement once. */
export function joinedPolicies(policies: readonly PolicyDocument[]): PolicyDocument {
  const all = policies.flatMap(({ Statement }) => Statement).map((one) => [JSON.stringify(one), one] as const);
  return { Version: "2012-10-17", Statement: [...new Map(all).values()] };
}

function drainStatements(needs: PolicyNeeds): readonly PolicyStatement[] {
  const tags = readsTags(needs) ? [READ_TAGS] : [];
  const audited = needs.audits === true ? [FIND_GROUPS, READ_HOOKS] : [];
  const reads = [...new Set([...READ, ...READ_OPTIONAL, ...tags, ...hookReads(needs), ...audited])];
  return [{ Effect: "Allow", Action: reads.sort(), Resource: "*" }, ...(needs.writes ? writeStatements(needs) : [])];
}

function assumeStatements({ assumes = [] }: PolicyNeeds): readonly PolicyStatement[] {
  const [first = ""] = assumes;
  if (assumes.length === 0) return [];
  return [{ Effect: "Allow", Action: ASSUME_ROLE, Resource: assumes.length === 1 ? first : assumes }];
}

/** The machine's own group has to be found. For a group in a message, it is read whether the machine has returned. */
function hookReads(needs: PolicyNeeds): readonly string[] {
  return answersHooks(needs) ? [FIND_GROUP, READ_HOOKS] : [];
}

function answersHooks({ queue, receives = true, lambda = false, ownHook = false }: PolicyNeeds): boolean {
  return (queue !== undefined && receives) || lambda || ownHook;
}

function queueStatements(needs: PolicyNeeds): readonly PolicyStatement[] {
  const { queue, region, lambda, audits, receives } = needs;
  if (queue === undefined) return [];
  const { url, name, accountId = "*", region: queueRegion = region } = queue;
  // The invocation contains the queue.
  const besides = lambda === true ? [POLL_QUEUE] : url === undefined ? [FIND_QUEUE] : [];
  const audited = audits === true ? [POLL_QUEUE] : [];
  const received = receives === false ? [] : [...RECEIVE, PUT_BACK];
  const Resource = `arn:${partitionFor(needs, queueRegion)}:sqs:${queueRegion ?? "*"}:${accountId}:${name}`;
  return [{ Effect: "Allow", Action: [...new Set([...received, ...besides, ...audited])].sort(), Resource }];
}

/**
 * A message, or the machine, names the group, so any group may be meant unless they are configured.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html
 */
function hookStatements(needs: PolicyNeeds): readonly PolicyStatement[] {
  if (!answersHooks(needs)) return [];
  const { region, hookGroups = ["*"] } = needs;
  const groups = `arn:${partitionFor(needs, region)}:autoscaling:${region ?? "*"}:*:autoScalingGroup:*:autoScalingGroupName`;
  const [first = "", ...others] = hookGroups.map((name) => `${groups}/${name}`);
  return [{ Effect: "Allow", Action: ANSWER_HOOKS, Resource: others.length === 0 ? first : [first, ...others] }];
}

function partitionFor({ partition }: PolicyNeeds, region: string | undefined): Partition {
  return (region === undefined ? undefined : partitionOf(region)) ?? partition ?? PARTITIONS[0];
}

function readsTags({ discovery, scope, audits }: PolicyNeeds): boolean {
  return discovery === "tag" || scope === "tag" || audits === true;
}

/** All conditions of one statement must hold, so each tag has a statement of its own. */
function writeStatements(needs: PolicyNeeds): readonly PolicyStatement[] {
  const statement: PolicyStatement = {
    Effect: "Allow",
    Action: needs.undo === true ? [...WRITE, ...UNDO] : WRITE,
    Resource: resources(needs),
  };
  if (needs.scope === "vpc") return [statement];
  return poolTags(checkedCluster(needs)).map(({ key, values }) => ({
    ...statement,
    Condition: { StringEquals: { [`aws:ResourceTag/${key}`]: values.length === 1 ? (values[0] ?? "") : values } },
  }));
}

function resources({ region, partition }: PolicyNeeds): readonly string[] {
  const ofRegion = region === undefined ? undefined : partitionOf(region);
  if (ofRegion !== undefined && partition !== undefined && partition !== ofRegion) {
    throw new RangeError(`the region ${region} is in the partition ${ofRegion}, not in ${partition}: leave one out`);
  }
  const arn = `arn:${ofRegion ?? partition ?? PARTITIONS[0]}:elasticloadbalancing:${region ?? "*"}:*`;
  return [`${arn}:loadbalancer/*`, `${arn}:targetgroup/*/*`];
}

function checkedCluster({ clusterName, names }: PolicyNeeds): string {
  if (clusterName === undefined) {
    throw new RangeError("a policy for the cluster's tag needs the cluster's name: set CLUSTERNAME, or --cluster-name");
  }
  if (!TAG_TEXT.test(clusterName)) {
    const name = names?.clusterName ?? "CLUSTERNAME";
    throw new RangeError(
      `${name} is '${printable(clusterName)}', which no tag on AWS can be: give letters, digits, spaces and _.:/=+-@`,
    );
  }
  return clusterName;
}

/** The first one is the default. */
export const PARTITIONS = [
  "aws",
  "aws-cn",
  "aws-us-gov",
  "aws-eusc",
  "aws-iso",
  "aws-iso-b",
  "aws-iso-e",
  "aws-iso-f",
] as const;
export type Partition = (typeof PARTITIONS)[number];

/** By the beginning of the region's name, as in the AWS SDK. */
const BY_PREFIX: readonly (readonly [prefix: string, Partition])[] = [
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
  ["eusc-", "aws-eusc"],
  ["us-iso-", "aws-iso"],
  ["us-isob-", "aws-iso-b"],
  ["eu-isoe-", "aws-iso-e"],
  ["us-isof-", "aws-iso-f"],
];

/** The partition of a region: AWS's standard one, or one of the isolated ones. */
function partitionOf(region: string): Partition {
  return BY_PREFIX.find(([prefix]) => region.startsWith(prefix))?.[1] ?? "aws";
}

/** Cloud controllers, kOps, eksctl and Karpenter put the cluster's name into the key. */
export const CLUSTER_KEY_PREFIX = "kubernetes.io/cluster/";
/** The cluster owns the resource, or is one of several that use it. */
const CLUSTER_KEY_VALUES = ["owned", "shared"];
/**
 * Keys of the AWS Load Balancer Controller, EKS Auto Mode, the controller's predecessor, and the legacy in-tree
 * provider. The name is the value. https://docs.aws.amazon.com/eks/latest/userguide/auto-elb-example.html
 */
export const POOL_CLUSTER_KEYS = [
  "elbv2.k8s.aws/cluster",
  "eks:eks-cluster-name",
  "ingress.k8s.aws/cluster",
  "KubernetesCluster",
];

/** A tag that a target group or classic load balancer may have. */
interface PoolTag {
  readonly key: string;
  /** Any one of these. */
  readonly values: readonly string[];
}

/**
 * Each of these tags alone assigns a pool to the cluster, and allows a policy that is restricted to the tag to change
 * it.
 */
function poolTags(cluster: string): readonly PoolTag[] {
  return [
    { key: CLUSTER_KEY_PREFIX + cluster, values: CLUSTER_KEY_VALUES },
    ...POOL_CLUSTER_KEYS.map((key) => ({ key, values: [cluster] })),
  ];
}

/** Whether a policy that is restricted to the cluster's tag allows to change a pool with these tags. */
export function isWritableByTag(tags: ReadonlyMap<string, string>, cluster: string): boolean {
  return poolTags(cluster).some(({ key, values }) => values.includes(tags.get(key) ?? ""));
}
