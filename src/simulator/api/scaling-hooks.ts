import { AwsError, validationError } from "../aws-error.ts";
import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";
import { globalTimeoutSeconds, type LifecycleHook } from "../world/lifecycle-action.ts";
import type { ApiActions } from "./action.ts";
import { atMost, integer, type Params, requiredText, text, texts } from "./params.ts";
import { namedGroup, oneOf } from "./scaling-groups.ts";
import type { XmlFields } from "./xml.ts";

const NAMES_PER_CALL_MAX = 50;
/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html */
const HOOKS_PER_GROUP_MAX = 50;
const TIMEOUT_SECONDS = { min: 30, max: 7_200, byDefault: 3_600 } as const;
const TRANSITIONS = ["autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"] as const;
const RESULTS = ["CONTINUE", "ABANDON"] as const;

/** The hooks of groups, and changes of them. */
export const scalingHookActions: ApiActions = {
  DescribeLifecycleHooks(params, world) {
    const group = namedGroup(params, world);
    const names = texts(params, "LifecycleHookNames");
    if (names !== undefined) atMost(names, NAMES_PER_CALL_MAX, "lifecycleHookNames");
    const hooks = group.hooks.filter(({ name }) => names?.includes(name) ?? true);
    return { LifecycleHooks: { member: hooks.map((hook) => hookXml(hook, group)) } };
  },

  /**
   * Creates a hook, or changes the given settings of one. Nothing is sent to its target: the `EventDelivery` decides
   * about that. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
   */
  PutLifecycleHook(params, world) {
    const group = namedGroup(params, world);
    const name = requiredText(params, "LifecycleHookName");
    const before = group.hooks.find((hook) => hook.name === name);
    const hook = hookFrom(params, name, before);
    const others = group.hooks.filter((one) => one !== before);
    if (others.length >= HOOKS_PER_GROUP_MAX) {
      throw new AwsError("LimitExceeded", `Only ${HOOKS_PER_GROUP_MAX} lifecycle hooks are allowed for a group`);
    }
    group.hooks = [...others, hook];
    return {};
  },
};

export function hookFrom(params: Params, name: string, before: LifecycleHook | undefined): LifecycleHook {
  const transition = oneOf(params, "LifecycleTransition", TRANSITIONS) ?? before?.transition;
  if (transition === undefined)
    throw validationError("A lifecycle transition must be specified for a new lifecycle hook");
  const timeout = integer(params, "HeartbeatTimeout", [TIMEOUT_SECONDS.min, TIMEOUT_SECONDS.max]);
  const notificationTarget = text(params, "NotificationTargetARN") ?? before?.notificationTarget;
  const role = text(params, "RoleARN") ?? before?.role;
  const metadata = text(params, "NotificationMetadata") ?? before?.notificationMetadata;
  return {
    name,
    transition,
    heartbeatTimeoutSeconds: timeout ?? before?.heartbeatTimeoutSeconds ?? TIMEOUT_SECONDS.byDefault,
    defaultResult: oneOf(params, "DefaultResult", RESULTS) ?? before?.defaultResult ?? "ABANDON",
    ...(metadata === undefined ? {} : { notificationMetadata: metadata }),
    // An empty one removes it.
    ...(notificationTarget ? { notificationTarget } : {}),
    ...(role ? { role } : {}),
  };
}

function hookXml(hook: LifecycleHook, group: AutoScalingGroup): XmlFields {
  return {
    LifecycleHookName: hook.name,
    AutoScalingGroupName: group.name,
    LifecycleTransition: hook.transition,
    NotificationTargetARN: hook.notificationTarget,
    RoleARN: hook.role,
    HeartbeatTimeout: hook.heartbeatTimeoutSeconds,
    GlobalTimeout: globalTimeoutSeconds(hook),
    DefaultResult: hook.defaultResult,
    NotificationMetadata: hook.notificationMetadata,
  };
}
