import type { Random } from "../random.ts";
import type { Announcement } from "../world/announcement.ts";
import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";

interface Origin {
  readonly accountId: string;
  readonly random: Random;
}

/**
 * The message that Auto Scaling itself sends to the queue or topic of a hook, in addition to the events of EventBridge.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
 */
export function hookNotification(
  { group, instanceId, action, at }: Extract<Announcement, { readonly type: "lifecycle-action" }>,
  { accountId, random }: Origin,
): string {
  const { hook, token } = action;
  return JSON.stringify({
    LifecycleHookName: hook.name,
    AccountId: accountId,
    RequestId: random.uuid("event"),
    LifecycleTransition: hook.transition,
    AutoScalingGroupName: group.name,
    Service: "AWS Auto Scaling",
    Time: new Date(at).toISOString(),
    EC2InstanceId: instanceId,
    LifecycleActionToken: token,
    NotificationMetadata: hook.notificationMetadata,
    ...wayOf(group, instanceId),
  });
}

/**
 * Origin and destination of a lifecycle action. With a new root volume the instance stays in its group.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
 */
export function wayOf(group: AutoScalingGroup, instanceId: string): object {
  const isReplaced = group.scaleInOf(instanceId)?.wayOut === "replace-root-volume";
  const from = { Origin: "AutoScalingGroup" };
  return isReplaced
    ? { ...from, Destination: "AutoScalingGroup", Action: "ReplaceRootVolume" }
    : { ...from, Destination: "EC2" };
}

/** The message that a queue gets once when a hook begins to name it. */
export function testNotification({ arn, name }: AutoScalingGroup, { accountId, random }: Origin, at: number): string {
  return JSON.stringify({
    AccountId: accountId,
    RequestId: random.uuid("event"),
    AutoScalingGroupARN: arn,
    AutoScalingGroupName: name,
    Service: "AWS Auto Scaling",
    Event: "autoscaling:TEST_NOTIFICATION",
    Time: new Date(at).toISOString(),
  });
}
