import { printable } from "../../drain/errors.ts";
import { announced, type EventReading, type LifecycleAction, nothingAsked } from "../announcement.ts";
import { type EventOrigin, eventOrigin } from "./event-bridge-kind.ts";
import { type EventFields, MalformedEvent, within } from "./event-fields.ts";

const TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING";

/**
 * A lifecycle action, in any envelope. It does not say until when the hook waits, which DescribeLifecycleHooks does.
 * `NotificationMetadata` is the operator's own, and may be a secret, so it is never read.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
 */
export function readLifecycleAction(fields: EventFields, origin: EventOrigin): EventReading {
  const transition = fields.text("LifecycleTransition");
  if (transition !== TERMINATING) return nothingAsked(`lifecycle action: ${transition}`);
  const { what, returns } = wayOut(fields);
  const problems: string[] = [];
  const action = lifecycleActionOf(fields, (problem) => problems.push(problem));
  const announcement = {
    kind: "autoscaling-terminate",
    instanceId: fields.instanceId("EC2InstanceId"),
    ...origin,
    ...(action && { lifecycleAction: action }),
    ...(returns && { returns }),
    reason: `Auto Scaling ${what}: ${printable(fields.hint("AutoScalingGroupName") ?? "unknown group")}`,
  } as const;
  return announced([announcement], problems);
}

/**
 * Undefined if the event does not say what waits. The machine leaves all the same, and its hook ends by its own
 * timeout.
 */
function lifecycleActionOf(fields: EventFields, odd: (problem: string) => void): LifecycleAction | undefined {
  try {
    const groupName = fields.name("AutoScalingGroupName");
    const hookName = fields.text("LifecycleHookName");
    // AWS takes the instance's id where there is no token.
    const token = fields.optionalText("LifecycleActionToken");
    return { groupName, hookName, ...(token !== undefined && { token }) };
  } catch (error) {
    if (!(error instanceof MalformedEvent)) throw error;
    odd(`${error.message}: the hook is left to its timeout`);
    return undefined;
  }
}

const REPLACES_ROOT_VOLUME = "ReplaceRootVolume";

/**
 * Where the machine goes. In a warm pool it lives on, and with a new root volume it comes back under its id; it leaves
 * service all the same. Which of AWS's fields say so differs by envelope, so that either of them counts.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html
 */
function wayOut(fields: EventFields): { readonly what: string; readonly returns?: true } {
  const destination = fields.hint("Destination");
  const returns = fields.hint("Action") === REPLACES_ROOT_VOLUME || destination === "AutoScalingGroup";
  if (returns) return { what: "root volume replacement", returns };
  return { what: destination === "WarmPool" ? "return to the warm pool" : "termination" };
}

const ORIGIN = { announcedAt: "Time", eventId: "RequestId", accountId: "AccountId" } as const;

/** What a hook with a notification target sends to a queue or a topic, without EventBridge. It does not name the region. */
export function isLifecycleNotification(fields: EventFields): boolean {
  return fields.has("LifecycleTransition");
}

export function readLifecycleNotification(fields: EventFields): EventReading {
  return within("lifecycle action", () => readLifecycleAction(fields, eventOrigin(fields, ORIGIN)));
}
