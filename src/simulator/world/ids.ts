import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { Timing } from "../timing.ts";
import type { AutoScalingGroupInput } from "./auto-scaling-group.ts";
import type { ClassicLoadBalancerInput } from "./classic-load-balancer.ts";
import type { Listener, LoadBalancerInput, Rule } from "./load-balancer.ts";
import type { TargetGroupInput } from "./target-group-attributes.ts";

const PURPOSE = "id";

/** Generates the ids of AWS's resources. */
export class Ids {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** 16 hexadecimal digits. */
  next(): string {
    return this.#random.digits(PURPOSE).slice(0, 16);
  }

  nextUuid(): string {
    return this.#random.uuid(PURPOSE);
  }
}

// The input for a world and the resources in it. Everything else has defaults.

export interface WorldOptions {
  readonly clock: Clock;
  readonly region?: string;
  readonly accountId?: string;
  readonly timing?: Partial<Timing>;
  /** The seed of everything that is random. Default: 1. */
  readonly seed?: number;
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
  Partial<Pick<Listener, "certificateArns" | "sslPolicy" | "alpnPolicy">> & {
    /** The idle timeout of TCP flows through an NLB or a GWLB. Absent: 350. */
    readonly idleTimeoutSeconds?: number;
  };
export type NewRule = Omit<Rule, "arn" | "tags">;
