import {
  type AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  type DescribeAutoScalingGroupsCommandOutput,
  DescribeLifecycleHooksCommand,
  type DescribeLifecycleHooksCommandOutput,
  type LifecycleHook,
} from "@aws-sdk/client-auto-scaling";
import {
  GetQueueAttributesCommand,
  type GetQueueAttributesCommandOutput,
  GetQueueUrlCommand,
  type GetQueueUrlCommandOutput,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import type { QueueAddress } from "../aws/queue-address.ts";
import type { UnmeteredCaller } from "../aws/unmetered-caller.ts";
import type { HookFacts, QueueFacts, ScalingGroupFacts } from "../doctor/facts.ts";
import { GLOBAL_MAX_MS, HEARTBEATS_MAX } from "./hook-terms.ts";

/** The reads of doctor about the sources of departures. */

const LIST_GROUPS = { name: "autoscaling:DescribeAutoScalingGroups", answersWith: "AutoScalingGroups" };
const LIST_HOOKS = { name: "autoscaling:DescribeLifecycleHooks", answersWith: "LifecycleHooks" };
const FIND_QUEUE = { name: "sqs:GetQueueUrl", answersWith: "QueueUrl" };
const READ_QUEUE = { name: "sqs:GetQueueAttributes" };
/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html */
const GROUPS_PER_PAGE_MAX = 100;
const TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING";
/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html */
const HEARTBEAT_DEFAULT_SECONDS = 3_600;

export interface ScalingAuditOptions {
  readonly autoScaling: Pick<AutoScalingClient, "send">;
  readonly caller: UnmeteredCaller;
  /** Selects groups by their instances and tags. */
  readonly isMeant: (instanceIds: readonly string[], tags: ReadonlyMap<string, string>) => boolean;
  readonly where: Pick<ScalingGroupFacts, "region" | "place">;
}

/** The selected Auto Scaling groups, with their terminating hooks. Throws `DrainError`. */
export async function auditScalingGroups(
  { autoScaling, caller, isMeant, where }: ScalingAuditOptions,
  signal: AbortSignal,
): Promise<readonly ScalingGroupFacts[]> {
  const groups: AutoScalingGroup[] = [];
  let NextToken: string | undefined;
  do {
    const input = { MaxRecords: GROUPS_PER_PAGE_MAX, ...(NextToken === undefined ? {} : { NextToken }) };
    const send = () => autoScaling.send(new DescribeAutoScalingGroupsCommand(input), { abortSignal: signal });
    const page: DescribeAutoScalingGroupsCommandOutput = await caller.call(LIST_GROUPS, send, signal);
    groups.push(...(page.AutoScalingGroups ?? []));
    NextToken = page.NextToken || undefined;
  } while (NextToken !== undefined);
  const meant = groups.filter(({ Tags = [], ...group }) =>
    isMeant(idsOf(group), new Map(Tags.map(({ Key = "", Value = "" }) => [Key, Value]))),
  );
  return Promise.all(
    meant.map(async (group) => {
      const { AutoScalingGroupName: name = "" } = group;
      const send = () =>
        autoScaling.send(new DescribeLifecycleHooksCommand({ AutoScalingGroupName: name }), { abortSignal: signal });
      const { LifecycleHooks = [] } = await caller.call<DescribeLifecycleHooksCommandOutput>(LIST_HOOKS, send, signal);
      const hooks = LifecycleHooks.filter(({ LifecycleTransition }) => LifecycleTransition === TERMINATING).map(hookOf);
      return { name, instanceIds: idsOf(group), hooks, ...where };
    }),
  );
}

function idsOf({ Instances = [] }: Pick<AutoScalingGroup, "Instances">): readonly string[] {
  return Instances.map(({ InstanceId = "" }) => InstanceId);
}

function hookOf({
  LifecycleHookName: name = "",
  HeartbeatTimeout,
  GlobalTimeout,
  NotificationTargetARN,
}: LifecycleHook): HookFacts {
  const heartbeatMs = (HeartbeatTimeout ?? HEARTBEAT_DEFAULT_SECONDS) * 1_000;
  const globalMs = GlobalTimeout === undefined ? HEARTBEATS_MAX * heartbeatMs : GlobalTimeout * 1_000;
  return {
    name,
    heartbeatMs,
    globalMs: Math.min(GLOBAL_MAX_MS, globalMs),
    ...(NotificationTargetARN ? { notificationTarget: NotificationTargetARN } : {}),
  };
}

export interface QueueAuditOptions {
  readonly sqs: Pick<SQSClient, "send">;
  readonly caller: UnmeteredCaller;
  readonly address: QueueAddress;
  /** The region of everything else, if the queue's URL does not contain it. */
  readonly region: string | undefined;
}

/** The queue that receives departures. Throws `DrainError`. */
export async function auditQueue(
  { sqs, caller, address, region }: QueueAuditOptions,
  signal: AbortSignal,
): Promise<QueueFacts> {
  const { name } = address;
  const find = () => sqs.send(new GetQueueUrlCommand({ QueueName: name }), { abortSignal: signal });
  const url = address.url ?? (await caller.call<GetQueueUrlCommandOutput>(FIND_QUEUE, find, signal)).QueueUrl ?? "";
  const input = { QueueUrl: url, AttributeNames: ["QueueArn", "Policy", "RedrivePolicy"] };
  const read = () => sqs.send(new GetQueueAttributesCommand(input as never), { abortSignal: signal });
  const { Attributes = {} } = await caller.call<GetQueueAttributesCommandOutput>(READ_QUEUE, read, signal);
  const { QueueArn = "", Policy, RedrivePolicy } = Attributes as Partial<Record<string, string>>;
  const where = address.region ?? region;
  const deadLetterQueue = object(RedrivePolicy)?.["deadLetterTargetArn"];
  const statements = statementsOf(Policy);
  return {
    name,
    url,
    arn: QueueArn,
    ...(where === undefined ? {} : { region: where }),
    ...(typeof deadLetterQueue === "string" ? { deadLetterQueue } : {}),
    senders: sendersOf(statements),
    statements,
  };
}

/** A policy has one statement or several. */
function statementsOf(policy: string | undefined): readonly Readonly<Record<string, unknown>>[] {
  const { Statement = [] } = object(policy) ?? {};
  return [Statement].flat().flatMap((one) => (isObject(one) ? [one] : []));
}

/**
 * The principals that the statements allow to send. An element that can't be read may allow it.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
 */
function sendersOf(statements: readonly Readonly<Record<string, unknown>>[]): readonly string[] {
  return statements.flatMap(({ Effect, Action, Principal, NotAction, NotPrincipal }) => {
    if (Effect !== "Allow") return [];
    if (NotAction !== undefined || NotPrincipal !== undefined) return ["*"];
    const sends = [Action].flat().some((action) => covers(String(action), "sqs:SendMessage"));
    if (!sends) return [];
    const named = typeof Principal === "object" && Principal !== null ? Object.values(Principal) : [Principal];
    return named.flat().map(String);
  });
}

/** `*` and `?` as in IAM, in upper or lower case. */
function covers(pattern: string, action: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "i").test(action);
}

/** Undefined if it is not a JSON object. */
function object(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text ?? "");
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
