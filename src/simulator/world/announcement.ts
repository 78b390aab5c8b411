import type { AutoScalingGroup } from "./auto-scaling-group.ts";
import type { Instance, InstanceStateName } from "./instance.ts";
import type { Interruption } from "./interruption.ts";
import type { LifecycleAction } from "./lifecycle-action.ts";
import type { ScheduledEvent } from "./scheduled-event.ts";

/** What AWS would announce, at the moment (`at`, in milliseconds since the epoch) when it would. */
export type Announcement = { readonly at: number } & (
  | { readonly type: "instance-state"; readonly instance: Instance; readonly state: InstanceStateName }
  | { readonly type: "rebalance-recommendation"; readonly instance: Instance }
  | { readonly type: "interruption"; readonly instance: Instance; readonly interruption: Interruption }
  | { readonly type: "scheduled-change"; readonly event: ScheduledEvent; readonly status: "upcoming" | "closed" }
  /** A terminating hook begins to wait. */
  | {
      readonly type: "lifecycle-action";
      readonly group: AutoScalingGroup;
      readonly instanceId: string;
      readonly action: LifecycleAction;
    }
);
