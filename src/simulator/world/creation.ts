import type { Clock } from "../clock.ts";
import type { Timing } from "../timing.ts";
import type { AutoScalingGroupInput } from "./auto-scaling-group.ts";
import type { ClassicLoadBalancerInput } from "./classic-load-balancer.ts";
import type { Listener, LoadBalancerInput, Rule } from "./load-balancer.ts";
import type { TargetGroupInput } from "./target-group.ts";

// What must be said to make a world and the things in it. For all else there are defaults.

export interface WorldOptions {
  readonly clock: Clock;
  readonly region?: string;
  readonly accountId?: string;
  readonly timing?: Partial<Timing>;
}

export type NewTargetGroup = Omit<TargetGroupInput, "arn" | "healthCheck"> &
  Partial<Pick<TargetGroupInput, "healthCheck">>;
export type NewLoadBalancer = Omit<LoadBalancerInput, "arn" | "createdAt" | "zones"> & {
  readonly zones?: readonly string[];
};
export type NewScalingGroup = Pick<AutoScalingGroupInput, "name" | "instanceIds"> &
  Partial<Omit<AutoScalingGroupInput, "arn" | "createdAt">>;
export type NewClassic = Omit<ClassicLoadBalancerInput, "createdAt" | "zones"> & { readonly zones?: readonly string[] };
export type NewListener = Pick<Listener, "protocol" | "port" | "defaultActions">;
export type NewRule = Omit<Rule, "arn">;
