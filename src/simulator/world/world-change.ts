import type { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { Instance } from "./instance.ts";
import type { Target, TargetGroup } from "./target-group.ts";

/** What the data plane must act upon. */
export type WorldChange =
  | {
      readonly type: "instance-added" | "instance-stopped" | "instance-started" | "instance-terminated";
      readonly instance: Instance;
    }
  | { readonly type: "target-deregistered"; readonly group: TargetGroup; readonly target: Target }
  | { readonly type: "classic-deregistered"; readonly loadBalancer: ClassicLoadBalancer; readonly instanceId: string }
  /** An instance leaves its Auto Scaling group: `settle` has something to bring about at `dueAt`, or before. */
  | { readonly type: "scale-in-changed"; readonly dueAt: number };
