import type { AutoScalingGroup } from "./auto-scaling-group.ts";
import type { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { Instance, InstanceStateName } from "./instance.ts";
import type { LifecycleAction } from "./lifecycle-action.ts";
import type { Target, TargetGroup } from "./target-group.ts";

/** An event that AWS would announce. `at`: when, in milliseconds since the epoch. */
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
  | {
      readonly type: "instance-refresh";
      readonly group: AutoScalingGroup;
      readonly refreshId: string;
      readonly event: RefreshEvent;
    }
);

/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-eventbridge-events.html */
export type RefreshEvent =
  | {
      readonly name:
        | "Started"
        | "Succeeded"
        | "Failed"
        | "Cancelled"
        | "Started Baking"
        | "Rollback Started"
        | "Rollback Succeeded";
    }
  | { readonly name: "Checkpoint Reached"; readonly percentage: number; readonly delaySeconds: number };

/** EC2's action on an instance whose capacity it takes back. */
export type InterruptionAction = "terminate" | "stop" | "hibernate";

/** EC2's warning to one instance. Times are milliseconds since the epoch. */
export interface Interruption {
  readonly action: InterruptionAction;
  /** The kind of capacity. Instances of a reservation are always terminated. */
  readonly of: "spot" | "capacity-reservation";
  /** When EC2 acts. */
  readonly actsAt: number;
}

/** AWS's action on a machine at the scheduled time. All simulated instances are backed by EBS. */
export type ScheduledEventCode = "instance-reboot" | "system-reboot" | "instance-stop" | "instance-retirement";

/** An action that AWS has scheduled for instances because of their hosts. Times are milliseconds since the epoch. */
export interface ScheduledEvent {
  /** `instance-event-…` */
  readonly id: string;
  readonly code: ScheduledEventCode;
  readonly instances: readonly Instance[];
  readonly announcedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A change of the world, for the code that must react to it. */
export type WorldChange =
  | {
      readonly type:
        | "instance-added"
        | "instance-stopped"
        | "instance-started"
        | "instance-rebooted"
        /** Its processes or its kube-proxy begin or stop answering health checks. */
        | "answering-changed"
        /** Its process has ended by itself, and not because of a change of the world. */
        | "program-ended"
        | "instance-terminated";
      readonly instance: Instance;
    }
  | { readonly type: "target-deregistered"; readonly group: TargetGroup; readonly target: Target }
  | { readonly type: "classic-deregistered"; readonly loadBalancer: ClassicLoadBalancer; readonly instanceId: string }
  /** `catchUp` will apply a change at `at` (milliseconds since the epoch) or before. */
  | { readonly type: "due"; readonly at: number }
  | { readonly type: "announced"; readonly announcement: Announcement };
