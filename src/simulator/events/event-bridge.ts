import type { Random } from "../random.ts";
import type { Announcement } from "../world/announcement.ts";
import { isoSeconds, spotArnOf, zoneIdOf } from "../world/arn.ts";
import type { Instance } from "../world/instance.ts";
import { healthEvents } from "./health-event.ts";
import { wayOf } from "./hook-notification.ts";

/** The source of these events. */
export interface Origin {
  readonly random: Random;
  readonly region: string;
  readonly accountId: string;
  arn(service: "ec2", resource: string): string;
}

interface Content {
  readonly source: "aws.autoscaling" | "aws.ec2" | "aws.health";
  readonly "detail-type": string;
  readonly resources: readonly string[];
  readonly detail: object;
}

/**
 * The events that EventBridge would deliver, as JSON texts. Unless a comment names another source, their format is from
 * https://docs.aws.amazon.com/eventbridge/latest/ref/welcome.html
 */
export function eventBridgeBodies(announcement: Announcement, origin: Origin): readonly string[] {
  const { accountId: account, region, random } = origin;
  return contentsOf(announcement, origin).map((content) => {
    const { source, resources, detail } = content;
    const head = { version: "0", id: random.uuid("event"), "detail-type": content["detail-type"], source, account };
    return JSON.stringify({ ...head, time: isoSeconds(announcement.at), region, resources, detail });
  });
}

function contentsOf(announcement: Announcement, origin: Origin): readonly Content[] {
  switch (announcement.type) {
    case "instance-state":
      return [stateChange(announcement, origin)];
    case "rebalance-recommendation":
      return [rebalanceRecommendation(announcement.instance, origin)];
    case "interruption":
      return [
        announcement.interruption.of === "spot"
          ? spotWarning(announcement, origin)
          : reservationWarning(announcement, origin),
      ];
    case "lifecycle-action":
      return [lifecycleAction(announcement)];
    case "instance-refresh":
      return [instanceRefresh(announcement)];
    case "scheduled-change":
      return healthEvents(announcement, origin).map((detail) => ({
        source: "aws.health",
        "detail-type": "AWS Health Event",
        resources: detail.affectedEntities.map(({ entityValue }) => entityValue),
        detail,
      }));
    default:
      return announcement satisfies never;
  }
}

function stateChange(
  { instance: { id }, state }: Extract<Announcement, { readonly type: "instance-state" }>,
  origin: Origin,
): Content {
  return {
    source: "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    resources: [origin.arn("ec2", `instance/${id}`)],
    detail: { "instance-id": id, state },
  };
}

function rebalanceRecommendation({ id, zone }: Instance, { region }: Origin): Content {
  return {
    source: "aws.ec2",
    "detail-type": "EC2 Instance Rebalance Recommendation",
    resources: [spotArnOf({ region, zone, id })],
    detail: { "instance-id": id },
  };
}

type Interrupting = Extract<Announcement, { readonly type: "interruption" }>;

function spotWarning({ instance: { id, zone }, interruption: { action } }: Interrupting, { region }: Origin): Content {
  return {
    source: "aws.ec2",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    resources: [spotArnOf({ region, zone, id })],
    detail: { "instance-id": id, "instance-action": action },
  };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-interruptible-cr.html */
function reservationWarning({ instance: { id, zone }, interruption }: Interrupting, origin: Origin): Content {
  return {
    source: "aws.ec2",
    "detail-type": "EC2 Capacity Reservation Instance Interruption Warning",
    resources: [origin.arn("ec2", `instance/${id}`)],
    detail: {
      "instance-id": id,
      "instance-action": interruption.action,
      "instance-termination-time": isoSeconds(interruption.actsAt),
      azId: zoneIdOf(zone),
    },
  };
}

function lifecycleAction({
  group,
  instanceId,
  action: { token, hook },
}: Extract<Announcement, { readonly type: "lifecycle-action" }>): Content {
  return {
    source: "aws.autoscaling",
    "detail-type": "EC2 Instance-terminate Lifecycle Action",
    resources: [group.arn],
    detail: {
      LifecycleActionToken: token,
      AutoScalingGroupName: group.name,
      LifecycleHookName: hook.name,
      EC2InstanceId: instanceId,
      LifecycleTransition: hook.transition,
      NotificationMetadata: hook.notificationMetadata,
      ...wayOf(group, instanceId),
    },
  };
}

/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-eventbridge-events.html */
function instanceRefresh({
  group,
  refreshId,
  event,
}: Extract<Announcement, { readonly type: "instance-refresh" }>): Content {
  const about = { InstanceRefreshId: refreshId, AutoScalingGroupName: group.name };
  const checkpoint =
    event.name === "Checkpoint Reached"
      ? { CheckpointPercentage: String(event.percentage), CheckpointDelay: String(event.delaySeconds) }
      : {};
  return {
    source: "aws.autoscaling",
    "detail-type": `EC2 Auto Scaling Instance Refresh ${event.name}`,
    resources: [group.arn],
    detail: { ...about, ...checkpoint },
  };
}
