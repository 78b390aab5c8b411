import { command, regionFlag } from "../commands.ts";
import type { Facts, HookFacts, QueueFacts, ScalingGroupFacts } from "../facts.ts";
import type { Finding, Resource } from "../finding.ts";

/** Findings about Auto Scaling groups, their hooks and the pools. */
export function scalingFindings(facts: Facts): readonly Finding[] {
  return (facts.scalingGroups ?? []).flatMap((group) => [
    ...groupWithoutHook(group),
    ...group.hooks.flatMap((hook) => hookUnheard(group, hook, facts)),
  ]);
}

/**
 * Without a terminating hook, Auto Scaling terminates an instance without waiting.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
 */
function groupWithoutHook(group: ScalingGroupFacts): readonly Finding[] {
  if (group.hooks.length > 0) return [];
  const name = ["--auto-scaling-group-name", group.name, "--lifecycle-hook-name", "hasta-la-vista"];
  const transition = ["--lifecycle-transition", "autoscaling:EC2_INSTANCE_TERMINATING"];
  const result = ["--heartbeat-timeout", "120", "--default-result", "CONTINUE"];
  return [
    {
      code: "group-without-hook",
      severity: "warning",
      resource: resourceOf(group),
      cost: "When Auto Scaling removes an instance (scale-in, rebalancing of zones, a failed health check), nothing holds it until its traffic has ended.",
      evidence: [{ read: "autoscaling:DescribeLifecycleHooks", name: "terminating hooks", value: "none" }],
      mend: [
        command(
          "aws",
          "autoscaling",
          "put-lifecycle-hook",
          ...regionFlag(group.region),
          ...name,
          ...transition,
          ...result,
        ),
      ],
      advice:
        "Only together with a queue or the agent that completes the hook: docs/wiring.md. Not needed where only Karpenter or cluster-autoscaler removes nodes, and zones are not rebalanced.",
    },
  ];
}

/**
 * Auto Scaling notifies EventBridge of every hook, and a queue or topic if the hook names one. EventBridge sends to a
 * queue only if the queue's policy allows it.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
 */
function hookUnheard(group: ScalingGroupFacts, hook: HookFacts, facts: Facts): readonly Finding[] {
  const { queue, settings } = facts;
  if (hook.name === settings.terminationHook) return [];
  const target = hook.notificationTarget;
  // A topic, a function or another queue: its receivers can't be read here.
  if (target !== undefined && target !== queue?.arn) return [];
  if (target !== undefined || queue?.senders.some((sender) => isService(sender)) === true) return [];
  // It was not read, and `unread` says so.
  if (queue === undefined && settings.hasQueue) return [];
  const named = {
    read: "autoscaling:DescribeLifecycleHooks",
    name: `NotificationTargetARN of ${hook.name}`,
    value: "not set",
  };
  return [
    {
      code: "hook-unheard",
      severity: queue?.senders.length === 0 ? "error" : "warning",
      resource: resourceOf(group),
      cost: `Nothing is known to hear of the hook ${hook.name}: the node is not drained, and is terminated when the hook's timeout of ${hook.heartbeatMs / 1_000} s has passed.`,
      evidence: [
        named,
        queue === undefined
          ? { read: "configuration", name: "QUEUE", value: "not set" }
          : { read: "sqs:GetQueueAttributes", name: `Policy of ${queue.name}`, value: whoSends(queue) },
      ],
      mend: queue === undefined ? [] : ruleFor(queue),
      ...(queue === undefined && {
        advice:
          "Give the service a queue that hears of the hook (docs/wiring.md), and doctor the same --queue; or run 'hasta-la-vista watch --termination-hook' on the nodes, and give doctor the same --termination-hook.",
      }),
    },
  ];
}

/** EventBridge and SNS send as services. `*` is any. */
function isService(sender: string): boolean {
  return sender === "*" || sender.endsWith(".amazonaws.com");
}

function whoSends({ senders }: QueueFacts): string {
  return senders.length === 0 ? "lets no other service send" : `lets only ${senders.join(", ")} send`;
}

/** In the same way as the templates in `deploy`. */
function ruleFor({ url, arn, region, statements }: QueueFacts): readonly string[] {
  const pattern = { source: ["aws.autoscaling"], "detail-type": ["EC2 Instance-terminate Lifecycle Action"] };
  const allowed = {
    Effect: "Allow",
    Principal: { Service: "events.amazonaws.com" },
    Action: "sqs:SendMessage",
    Resource: arn,
  };
  const policy = { Version: "2012-10-17", Statement: [...statements, allowed] };
  const events = (verb: string, ...more: readonly string[]) =>
    command("aws", "events", verb, ...regionFlag(region), ...more);
  const rule = "hasta-la-vista-hooks";
  return [
    events("put-rule", "--name", rule, "--event-pattern", JSON.stringify(pattern)),
    events("put-targets", "--rule", rule, "--targets", JSON.stringify([{ Id: "queue", Arn: arn }])),
    setQueueAttributes({ url, region }, { Policy: JSON.stringify(policy) }),
  ];
}

/**
 * A message that can't be settled is received again and again.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
 */
export function queueFindings({ queue }: Facts): readonly Finding[] {
  if (queue === undefined || queue.deadLetterQueue !== undefined) return [];
  const { name, arn, url, region } = queue;
  const letters = `${name}-dead-letters`;
  const redrive = { deadLetterTargetArn: `${arn}-dead-letters`, maxReceiveCount: "30" };
  return [
    {
      code: "queue-without-dead-letters",
      severity: "notice",
      resource: { kind: "queue", id: url, name },
      cost: "A message that the service can't settle is received again and again until it expires. Then SQS deletes it, and the queue has no record of the departure that it announced.",
      evidence: [{ read: "sqs:GetQueueAttributes", name: "RedrivePolicy", value: "not set" }],
      mend: [
        command("aws", "sqs", "create-queue", ...regionFlag(region), "--queue-name", letters),
        setQueueAttributes({ url, region }, { RedrivePolicy: JSON.stringify(redrive) }),
      ],
    },
  ];
}

function setQueueAttributes(
  { url, region }: { readonly url: string; readonly region: string | undefined },
  attributes: Readonly<Record<string, string>>,
): string {
  const given = ["--queue-url", url, "--attributes", JSON.stringify(attributes)];
  return command("aws", "sqs", "set-queue-attributes", ...regionFlag(region), ...given);
}

function resourceOf({ name, place }: ScalingGroupFacts): Resource {
  return { kind: "auto-scaling-group", id: name, name, ...(place === undefined ? {} : { place }) };
}
