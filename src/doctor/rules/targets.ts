import { idOf } from "../../drain/cloud-provider.ts";
import { setClassicAttributes, setGroupAttributes } from "../commands.ts";
import type { Facts, PoolFacts } from "../facts.ts";
import type { Finding } from "../finding.ts";
import { attributeEvidence, machinesOf, ownerAdvice, resourceOf, some, targetEvidence } from "./pool-findings.ts";

const CROSS_ZONE = "load_balancing.cross_zone.enabled";

/**
 * Without cross-zone load balancing, each zone of the load balancer sends to the targets of its own zone alone.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html#cross-zone-load-balancing
 */
export function oneNodeInZone(pool: PoolFacts): readonly Finding[] {
  if (!pool.isZonal) return [];
  const nodes = new Map<string, Set<string>>();
  for (const { target, instanceId, zone, isHealthy } of pool.targets) {
    if (!isHealthy || zone === undefined) continue;
    nodes.set(zone, (nodes.get(zone) ?? new Set()).add(instanceId ?? idOf(target)));
  }
  const alone = [...nodes].filter(([, those]) => those.size === 1);
  if (alone.length === 0) return [];
  const isClassic = pool.pool.kind === "classic";
  const name = isClassic ? "CrossZoneLoadBalancing.Enabled" : CROSS_ZONE;
  const advice = ownerAdvice(pool, `${CROSS_ZONE}=true`);
  return [
    {
      code: "one-node-in-zone",
      severity: "warning",
      resource: resourceOf(pool),
      cost: `When the only healthy node of ${alone.length === 1 ? "a zone" : "one of these zones"} leaves, clients that use the load balancer's address in that zone get no answer until DNS leaves it out. A voluntary drain is refused for that reason.`,
      evidence: [
        attributeEvidence(pool, name),
        ...alone.map(([zone, those]) => targetEvidence(pool, `healthy in ${zone}`, [...those].join(", "))),
      ],
      mend: [
        isClassic
          ? setClassicAttributes(pool, { CrossZoneLoadBalancing: { Enabled: true } })
          : setGroupAttributes(pool, { [CROSS_ZONE]: "true" }),
      ],
      advice:
        advice ??
        "Or run two nodes in each zone. AWS charges for traffic between zones of a Network or Gateway Load Balancer.",
    },
  ];
}

/**
 * Below either minimum, AWS sends requests to unhealthy targets too.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html
 */
export function failsOpen(pool: PoolFacts): readonly Finding[] {
  const count = numberIn(pool, COUNT);
  const percent = numberIn(pool, PERCENT);
  const registered = pool.targets.filter(({ state }) => state !== "draining").length;
  const healthy = pool.targets.filter(({ isHealthy }) => isHealthy).length;
  // AWS's default decides whether one target is enough.
  const leastWhenOneLeaves = Math.max(count, Math.ceil((percent * (registered - 1)) / 100));
  if (leastWhenOneLeaves <= 1 || healthy - 1 >= leastWhenOneLeaves || healthy === 0) return [];
  const wanted = { [COUNT]: "1", [PERCENT]: "off" };
  const advice = ownerAdvice(pool, `${COUNT}=1,${PERCENT}=off`);
  return [
    {
      code: "fails-open",
      severity: "warning",
      resource: resourceOf(pool),
      cost: "As soon as one more target leaves, the load balancer sends requests to unhealthy targets too.",
      evidence: [
        attributeEvidence(pool, COUNT),
        attributeEvidence(pool, PERCENT),
        targetEvidence(pool, "healthy targets", `${healthy} of ${registered}`),
      ],
      mend: [setGroupAttributes(pool, wanted)],
      ...(advice === undefined ? {} : { advice }),
    },
  ];
}

const COUNT = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count";
const PERCENT = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";

/** "off" sets no minimum. */
function numberIn({ attributes }: PoolFacts, name: string): number {
  const value = attributes.get(name) ?? "";
  return /^\d{1,6}$/.test(value) ? Number(value) : 0;
}

/** With CLUSTERNAME, nodes of other clusters are never drained. */
export function severalClusters(pool: PoolFacts, facts: Facts): readonly Finding[] {
  const machines = machinesOf(pool, facts);
  const clusters = new Map<string, string[]>();
  for (const { id, clusters: names } of machines)
    for (const name of names) clusters.set(name, [...(clusters.get(name) ?? []), id]);
  const others = [...clusters.keys()].filter((name) => name !== facts.cluster);
  if (facts.cluster === undefined ? clusters.size < 2 : others.length === 0) return [];
  return [
    {
      code: "several-clusters",
      severity: "notice",
      resource: resourceOf(pool),
      cost: "Nodes of each cluster are drained only by a service with the CLUSTERNAME of that cluster, or with none. Others leave with their requests in flight.",
      evidence: [...clusters].map(([name, ids]) => ({
        read: "ec2:DescribeInstances",
        name: `tags of cluster ${name}`,
        value: some(ids),
      })),
      mend: [],
      advice: "Run a service for each of the clusters, or deregister the nodes that the target group should not have.",
    },
  ];
}
