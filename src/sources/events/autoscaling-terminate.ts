import type { EventBridgeKind } from "./event-bridge-kind.ts";
import { readLifecycleAction } from "./lifecycle-action.ts";

export const autoscalingTerminate: EventBridgeKind = {
  source: "aws.autoscaling",
  detailTypes: ["EC2 Instance-terminate Lifecycle Action"],
  read: ({ origin, detail }) => readLifecycleAction(detail, origin),
};
