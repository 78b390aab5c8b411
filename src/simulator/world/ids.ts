import { createHash } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Timing } from "../timing.ts";
import type { AutoScalingGroupInput } from "./auto-scaling-group.ts";
import type { ClassicLoadBalancerInput } from "./classic-load-balancer.ts";
import type { Listener, LoadBalancerInput, Rule } from "./load-balancer.ts";
import type { TargetGroupInput } from "./target-group.ts";

/** What AWS names its things by. The same ones in every run. */
export class Ids {
  #made = 0;

  /** 16 hexadecimal digits. */
  next(): string {
    return this.#digits().slice(0, 16);
  }

  nextUuid(): string {
    const digits = this.#digits();
    const part = (start: number, end: number) => digits.slice(start, end);
    return `${part(0, 8)}-${part(8, 12)}-4${part(12, 15)}-8${part(15, 18)}-${part(18, 30)}`;
  }

  #digits(): string {
    this.#made += 1;
    return createHash("sha256").update(String(this.#made)).digest("hex");
  }
}

// What must be said to make a world and the things in it. For all else there are defaults.

export interface WorldOptions {
  readonly clock: Clock;
  readonly region?: string;
  readonly accountId?: string;
  readonly timing?: Partial<Timing>;
}

export type NewTargetGroup = Omit<TargetGroupInput, "arn" | "healthCheck" | "probe"> &
  Partial<Pick<TargetGroupInput, "healthCheck" | "probe">>;
export type NewLoadBalancer = Omit<LoadBalancerInput, "arn" | "createdAt" | "zones"> & {
  readonly zones?: readonly string[];
};
export type NewScalingGroup = Pick<AutoScalingGroupInput, "name" | "instanceIds"> &
  Partial<Omit<AutoScalingGroupInput, "arn" | "createdAt">>;
export type NewClassic = Omit<ClassicLoadBalancerInput, "createdAt" | "zones"> & { readonly zones?: readonly string[] };
export type NewListener = Pick<Listener, "protocol" | "port" | "defaultActions"> &
  Partial<Pick<Listener, "certificateArns" | "sslPolicy">> & {
    /** Of TCP flows through an NLB or a GWLB. Absent: 350. */
    readonly idleTimeoutSeconds?: number;
  };
export type NewRule = Omit<Rule, "arn" | "tags">;
