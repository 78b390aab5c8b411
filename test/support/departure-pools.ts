import type { Timing } from "../../src/simulator/timing.ts";
import type { ClassicLoadBalancer } from "../../src/simulator/world/classic-load-balancer.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import type { World } from "../../src/simulator/world/world.ts";
import type { Spare } from "./loss-causes.ts";
import { VPC } from "./simulated-region.ts";

/** How long AWS goes on sending traffic, and what a service allows for that. */
export interface DepartureTiming {
  readonly aws: Partial<Timing>;
  /** By the options' variables. */
  readonly allowances: Readonly<Record<string, string>>;
}

/** Deregistration delays: of an ALB's groups longer than any request, of an NLB's far shorter than its lag. */
export const DELAYS_SECONDS = { web: 3, reports: 3, tcp: 1 };

/** Some seconds in place of AWS's minutes. Machines that are launched get traffic when their processes are up for certain. */
export const SHORT: DepartureTiming = {
  aws: {
    albDeregistration: [300, 1_500],
    nlbDeregistration: [2_500, 6_000],
    classicDeregistration: [100, 500],
    albRegistrationMs: 3_000,
    nlbRegistrationMs: 3_000,
    classicRegistrationMs: 3_000,
    shuttingDownMs: 1_000,
    terminatedDropMs: 500,
    pendingMs: 200,
    connectTimeoutMs: 300,
  },
  allowances: { ALB_PROPAGATION: "3", NLB_PROPAGATION: "12", CLASSIC_MINIMUM: "2" },
};
/** How long each pool must be held at least, in milliseconds, by these allowances and delays. */
export const SHORT_HOLDS_MS: Readonly<Record<string, number>> = {
  web: 3_000,
  reports: 3_000,
  tcp: 12_000,
  legacy: 2_000,
};
/** By the lags above: what is left of each hold when the last request may come. */
export const SHORT_SPARES: Readonly<Record<string, Spare>> = {
  web: { through: "alb", spareMs: 1_500 },
  reports: { through: "alb", spareMs: 1_500 },
  tcp: { through: "nlb", spareMs: 6_000 },
  legacy: { through: "classic", spareMs: 1_500 },
};

/**
 * A quarter of AWS's own lags, for a quarter of its notice: an NLB goes on opening connections to machines that are off.
 * No hold of an NLB fits the notice.
 */
export const QUARTER: DepartureTiming = {
  aws: {
    albDeregistration: [1_000, 4_500],
    nlbDeregistration: [30_000, 45_000],
    classicDeregistration: [125, 500],
    shuttingDownMs: 1_250,
    terminatedDropMs: 1_250,
    connectTimeoutMs: 300,
  },
  allowances: { ALB_PROPAGATION: "8", NLB_PROPAGATION: "52", CLASSIC_MINIMUM: "3" },
};
/** Of the pools of which nothing may be lost: with a deregistration delay that is as long as the allowance. */
export const QUARTER_SPARES: Readonly<Record<string, Spare>> = {
  web: { through: "alb", spareMs: 3_500 },
  legacy: { through: "classic", spareMs: 2_500 },
};

export interface DeparturePools {
  readonly web: TargetGroup;
  readonly reports: TargetGroup;
  readonly tcp: TargetGroup;
  readonly legacy: ClassicLoadBalancer;
}

/** All nodes behind an ALB with two groups, an NLB and a classic load balancer. */
export function addPools(
  world: World,
  nodes: readonly Instance[],
  delaysSeconds: Readonly<Record<keyof typeof DELAYS_SECONDS, number>>,
): DeparturePools {
  const healthCheck = { intervalMs: 1_000, healthyThreshold: 2, unhealthyThreshold: 2 };
  const addGroup = (name: keyof typeof DELAYS_SECONDS, protocol: "HTTP" | "TCP") => {
    const group = world.addTargetGroup({
      name,
      vpcId: VPC,
      protocol,
      port: 30080,
      targetType: "instance",
      healthCheck,
    });
    group.attributes.set("deregistration_delay.timeout_seconds", String(delaysSeconds[name]));
    for (const { id } of nodes) world.registerTarget(group, { id }, { settled: true });
    return group;
  };
  const forward = ({ arn }: TargetGroup) => [{ type: "forward" as const, groups: [{ arn, weight: 1 }] }];
  const [web, reports, tcp] = [addGroup("web", "HTTP"), addGroup("reports", "HTTP"), addGroup("tcp", "TCP")];
  const alb = world.addLoadBalancer({ name: "shop", type: "application", vpcId: VPC });
  const listener = world.addListener(alb, { protocol: "HTTP", port: 80, defaultActions: forward(web) });
  world.addRule(listener, {
    priority: 10,
    conditions: [{ field: "path-pattern", values: ["/reports"] }],
    actions: forward(reports),
  });
  const nlb = world.addLoadBalancer({ name: "tcp", type: "network", vpcId: VPC });
  world.addListener(nlb, { protocol: "TCP", port: 80, defaultActions: forward(tcp) });
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30080 }];
  const legacy = world.addClassic({ name: "legacy", vpcId: VPC, listeners });
  legacy.draining = { enabled: true, timeoutSeconds: 5 };
  legacy.healthCheck = healthCheck;
  for (const { id } of nodes) legacy.register(id, world.clock.now(), { settled: true });
  return { web, reports, tcp, legacy };
}
