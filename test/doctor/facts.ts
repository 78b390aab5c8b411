import { findingsOf } from "../../src/doctor/diagnose.ts";
import type { Facts, MachineFacts, PoolFacts, ScalingGroupFacts, TargetFacts } from "../../src/doctor/facts.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import type { Pool } from "../../src/drain/cloud-provider.ts";
import type { LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";

export const ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";
const VPC = "vpc-0123456789abcdef0";

/** Two healthy nodes behind an ALB, with nothing wrong. */
export function poolFacts(
  kind: LoadBalancerKind = "alb",
  given: Partial<Omit<PoolFacts, "pool">> & { readonly pool?: Partial<Pool> } = {},
): PoolFacts {
  const { pool, ...rest } = given;
  return {
    pool:
      kind === "classic"
        ? { kind, id: "legacy", name: "legacy", ...pool }
        : { kind, id: ARN, name: "web", loadBalancer: "front", ...pool },
    network: VPC,
    region: "eu-west-1",
    targetType: "instance",
    attributes: new Map(),
    terms: { drainMs: 60_000, holdMs: kind === "nlb" ? 210_000 : 60_000 },
    ...(kind !== "classic" && {
      check: { protocol: "TCP", port: "traffic-port", path: "", intervalSeconds: 30, unhealthyThreshold: 2 },
    }),
    isZonal: false,
    targets: [target(1), target(2)],
    ...rest,
  };
}

export function target(number: number, given: Partial<TargetFacts> = {}): TargetFacts {
  const id = `i-${number}`;
  return { target: `${id}:30080`, instanceId: id, state: "live", isHealthy: true, zone: "eu-west-1a", ...given };
}

export function machine(number: number, given: Partial<MachineFacts> = {}): MachineFacts {
  return { id: `i-${number}`, zone: "eu-west-1a", isSpot: false, clusters: ["demo"], ...given };
}

export function scalingGroup(given: Partial<ScalingGroupFacts> = {}): ScalingGroupFacts {
  const hooks = [{ name: "drain", heartbeatMs: 120_000, globalMs: 12_000_000 }];
  return { name: "workers", region: "eu-west-1", instanceIds: ["i-1", "i-2"], hooks, ...given };
}

/** One pool of two nodes, in which nothing is wrong, but for what is given. */
export function facts(
  given: Partial<Omit<Facts, "machines">> & { readonly machines?: readonly MachineFacts[] } = {},
): Facts {
  const { machines = [machine(1), machine(2)], ...rest } = given;
  return {
    pools: [poolFacts()],
    denied: [],
    unread: [],
    settings: { hasQueue: false },
    ...rest,
    machines: new Map(machines.map((one) => [one.id, one])),
  };
}

/** `severity code of resource`. */
export function found(given: Parameters<typeof facts>[0]): readonly string[] {
  return all(given).map(({ severity, code, resource }) => `${severity} ${code} of ${resource.name}`);
}

export function all(given: Parameters<typeof facts>[0]): readonly Finding[] {
  return findingsOf(facts(given), "eu-west-1");
}
