import { scaling } from "./row.ts";

export const AutoScalingGroupName = "{workers}";
export const TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING";

export const hook = (settings: Partial<Parameters<typeof scaling<"putLifecycleHook">>[1]> = {}) =>
  scaling("PutLifecycleHook", {
    AutoScalingGroupName,
    LifecycleHookName: "drain",
    LifecycleTransition: TERMINATING,
    ...settings,
  });
export const terminate = (shrinks = true, InstanceId = "{member}") =>
  scaling("TerminateInstanceInAutoScalingGroup", { InstanceId, ShouldDecrementDesiredCapacity: shrinks });
export const member = (InstanceIds = ["{member}"]) => scaling("DescribeAutoScalingInstances", { InstanceIds });
