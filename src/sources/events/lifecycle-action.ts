import { printable } from "../../drain/errors.ts";
import { announced, type EventReading, nothingAsked } from "../announcement.ts";
import { type EventOrigin, eventOrigin } from "./event-bridge-kind.ts";
import { type EventFields, within } from "./event-fields.ts";

const TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING";

/**
 * What Auto Scaling says of a lifecycle action, whatever envelope it comes in. Until when the hook waits is not in it:
 * DescribeLifecycleHooks knows. `NotificationMetadata` is the operator's own, and may be a secret: it is never read.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
 */
export function readLifecycleAction(fields: EventFields, origin: EventOrigin): EventReading {
  const transition = fields.text("LifecycleTransition");
  if (transition !== TERMINATING) return nothingAsked(`lifecycle action: ${transition}`);
  const groupName = fields.text("AutoScalingGroupName");
  // In a warm pool the machine lives on, but it leaves service all the same.
  const isToWarmPool = fields.optionalText("Destination") === "WarmPool";
  return announced([
    {
      kind: "autoscaling-terminate",
      instanceId: fields.instanceId("EC2InstanceId"),
      ...origin,
      lifecycleAction: {
        groupName,
        hookName: fields.text("LifecycleHookName"),
        token: fields.text("LifecycleActionToken"),
      },
      reason: `Auto Scaling ${isToWarmPool ? "return to the warm pool" : "termination"}: ${printable(groupName)}`,
    },
  ]);
}

const ORIGIN = { announcedAt: "Time", eventId: "RequestId", accountId: "AccountId" } as const;

/** What a hook with a notification target sends to a queue or a topic, without EventBridge. It does not name the region. */
export function isLifecycleNotification(fields: EventFields): boolean {
  return fields.has("LifecycleTransition");
}

export function readLifecycleNotification(fields: EventFields): EventReading {
  return within("lifecycle action", () => readLifecycleAction(fields, eventOrigin(fields, ORIGIN)));
}
