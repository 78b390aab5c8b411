import type { Announcement } from "./announcement.ts";
import type { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { Instance } from "./instance.ts";
import type { Target, TargetGroup } from "./target-group.ts";

/** What happens to the world, for whoever must act upon it. */
export type WorldChange =
  | {
      readonly type:
        | "instance-added"
        | "instance-stopped"
        | "instance-started"
        | "instance-rebooted"
        | "instance-terminated";
      readonly instance: Instance;
    }
  | { readonly type: "target-deregistered"; readonly group: TargetGroup; readonly target: Target }
  | { readonly type: "classic-deregistered"; readonly loadBalancer: ClassicLoadBalancer; readonly instanceId: string }
  /** `settle` has something to bring about at `at` (milliseconds since the epoch), or before. */
  | { readonly type: "due"; readonly at: number }
  | { readonly type: "announced"; readonly announcement: Announcement };
