import { printable } from "../drain/errors.ts";
import type { QueueAddress } from "./queue-address.ts";

/** What a policy is for. */
export interface PolicyNeeds {
  /** Whether anything is deregistered: `plan` only reads. */
  readonly writes: boolean;
  /** Whether what was deregistered may be registered again. */
  readonly undo?: boolean;
  /** Whose messages announce departures, hooks among them. Absent: none. */
  readonly queue?: QueueAddress;
  /** `false`: the queue is only audited. */
  readonly receives?: boolean;
  /** Whether the termination hook of the machine's own group is answered, which is looked for first. */
  readonly ownHook?: boolean;
  /** The Auto Scaling groups whose hooks are answered, by name; `*` and `?` as IAM has them. Absent: all. */
  readonly hookGroups?: readonly string[];
  /** Whether the configuration is audited (`doctor`), which reads more than drains do. Absent: it is not. */
  readonly audits?: boolean;
  /** A function of Lambda, which receives a queue's messages for it and as it, or invokes it with events by themselves. */
  readonly lambda?: boolean;
  /** `tag`: pools are selected by their tags, which must be read. */
  readonly discovery: "vpc" | "tag";
  /** `tag`: only pools that carry the cluster's tag may be written. AWS can't narrow anything to a VPC. */
  readonly scope: "vpc" | "tag";
  /** The scope `tag` needs it. */
  readonly clusterName?: string;
  /** What people call that where they set it. Absent: CLUSTERNAME. */
  readonly names?: { readonly clusterName: string };
  /** Roles of other accounts, by ARN, that are assumed to do the same there. Absent: none. */
  readonly assumes?: readonly string[];
  /** `false`: nothing is drained with these credentials themselves. */
  readonly drains?: boolean;
  /** Absent: any region of the partition. */
  readonly region?: string;
  /** Absent: the region's, or `aws`. */
  readonly partition?: Partition;
}

export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

/** Who may assume a role. */
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
 * One service prefix for both of its APIs.
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
/** What a drain can do without: see decisions/0025. */
const READ_OPTIONAL = [
  "ec2:DescribeNetworkInterfaces",
  "elasticloadbalancing:DescribeListenerAttributes",
  "elasticloadbalancing:DescribeListeners",
];
const UNDO = ["elasticloadbalancing:RegisterInstancesWithLoadBalancer", "elasticloadbalancing:RegisterTargets"];
/** IAM has no actions of their own for the batches of both. */
const RECEIVE = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"];
/** A message about what is days ahead is replaced by a copy, before AWS gives it to the dead-letter queue. */
const PUT_BACK = "sqs:SendMessage";
const FIND_QUEUE = "sqs:GetQueueUrl";
/** Lambda's own look at the queue. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html */
const POLL_QUEUE = "sqs:GetQueueAttributes";
const READ_HOOKS = "autoscaling:DescribeLifecycleHooks";
const FIND_GROUP = "autoscaling:DescribeAutoScalingInstances";
/** What doctor reads besides. */
const FIND_GROUPS = "autoscaling:DescribeAutoScalingGroups";
const ANSWER_HOOKS = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"];
const WRITE = ["elasticloadbalancing:DeregisterInstancesFromLoadBalancer", "elasticloadbalancing:DeregisterTargets"];

/**
 * The session of a pod with EKS Pod Identity has tags, which go over to the role that it assumes.
 * https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
 */
const ASSUME_ROLE = ["sts:AssumeRole", "sts:TagSession"];

/** What AWS lets a tag consist of. A variable (`${…}`) in a policy would mean something else. */
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u;

/**
 * The least that AWS lets a program do which needs this. Throws `RangeError` where no policy can say it.
 * Reads have no resources: AWS allows them on everything or not at all.
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

/** The trust policy of a role that `principal`, a role or user by its ARN, may assume. */
export function trustPolicyFor(principal: string, externalId: string | undefined): TrustDocument {
  const Condition = externalId && { StringEquals: { "sts:ExternalId": externalId } };
  const statement = { Effect: "Allow", Principal: { AWS: principal }, Action: ASSUME_ROLE } as const;
  return { Version: "2012-10-17", Statement: [{ ...statement, ...(Condition && { Condition }) }] };
}

/** All that each of them allows, each statement once. */
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

/** The machine's own group has to be found; of one that a message says is to come back, whether it has. */
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
  // The invocation names the queue.
  const besides = lambda === true ? [POLL_QUEUE] : url === undefined ? [FIND_QUEUE] : [];
  const audited = audits === true ? [POLL_QUEUE] : [];
  const received = receives === false ? [] : [...RECEIVE, PUT_BACK];
  const Resource = `arn:${partitionFor(needs, queueRegion)}:sqs:${queueRegion ?? "*"}:${accountId}:${name}`;
  return [{ Effect: "Allow", Action: [...new Set([...received, ...besides, ...audited])].sort(), Resource }];
}

/**
 * A message, or the machine, says of which group: unless they are named, any may be meant.
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

/** The conditions of one statement must all hold, so that each tag has a statement of its own. */
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

/** The first one is everybody's who has not asked for another. */
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

/** By what a region's name begins with. As in the partitions that the AWS SDK knows. */
const BY_PREFIX: readonly (readonly [prefix: string, Partition])[] = [
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
  ["eusc-", "aws-eusc"],
  ["us-iso-", "aws-iso"],
  ["us-isob-", "aws-iso-b"],
  ["eu-isoe-", "aws-iso-e"],
  ["us-isof-", "aws-iso-f"],
];

/** The partition of a region: AWS's regions for everybody, or one of those that stand apart. */
function partitionOf(region: string): Partition {
  return BY_PREFIX.find(([prefix]) => region.startsWith(prefix))?.[1] ?? "aws";
}

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
interface PoolTag {
  readonly key: string;
  /** Any one of them. */
  readonly values: readonly string[];
}

/** Each of these tags alone says that a pool is the cluster's, and lets a policy narrowed to the tag write to it. */
function poolTags(cluster: string): readonly PoolTag[] {
  return [
    { key: CLUSTER_KEY_PREFIX + cluster, values: CLUSTER_KEY_VALUES },
    ...POOL_CLUSTER_KEYS.map((key) => ({ key, values: [cluster] })),
  ];
}

/** Whether a policy that is narrowed to the cluster's tag lets a pool with these tags be written. */
export function isWritableByTag(tags: ReadonlyMap<string, string>, cluster: string): boolean {
  return poolTags(cluster).some(({ key, values }) => values.includes(tags.get(key) ?? ""));
}
