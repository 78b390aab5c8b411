import type { Scenario } from "../simulator/scenario/schema.ts";

const DELAY_SECONDS = 60;
const PORTS = { web: [30080], api: [30081, 30082], canary: [30083], reports: [30084], ingest: [30090] };

/** A small cluster: an ALB of four groups, an NLB and a classic load balancer, with every node in each of them. */
export const DEMO_SCENARIO: Scenario = {
  vpcs: [{ id: "vpc-0d3a0000000000001" }],
  instances: [
    {
      name: "node",
      count: 6,
      firstId: "i-0de30000000000001",
      firstIp: "10.0.0.11",
      zones: ["eu-west-1b", "eu-west-1c", "eu-west-1a"],
      tags: { "kubernetes.io/cluster/demo": "owned" },
    },
  ],
  targetGroups: [
    group("shop-web", PORTS.web),
    group("shop-api", PORTS.api),
    group("shop-api-canary", PORTS.canary),
    group("shop-reports", PORTS.reports),
    {
      ...group("ingest-tcp", PORTS.ingest),
      protocol: "TCP",
      healthCheck: { intervalSeconds: 10, healthyThreshold: 3, unhealthyThreshold: 3 },
    },
  ],
  loadBalancers: [
    {
      name: "shop",
      type: "application",
      listeners: [
        {
          protocol: "HTTP",
          port: 80,
          action: { forward: [{ group: "shop-web" }] },
          rules: [
            {
              priority: 10,
              paths: ["/api/*"],
              action: {
                forward: [
                  { group: "shop-api", weight: 3 },
                  { group: "shop-api-canary", weight: 1 },
                ],
              },
            },
            // Only this rule leads to the group: a tool that reads only default actions misses it.
            { priority: 20, paths: ["/reports/*"], action: { forward: [{ group: "shop-reports" }] } },
          ],
        },
      ],
    },
    {
      name: "ingest",
      type: "network",
      listeners: [{ protocol: "TCP", port: 80, action: { forward: [{ group: "ingest-tcp" }] } }],
    },
  ],
  classicLoadBalancers: [
    {
      name: "legacy",
      listeners: [{ protocol: "HTTP", port: 80, instancePort: 30100 }],
      connectionDrainingSeconds: DELAY_SECONDS,
      healthCheck: { intervalSeconds: 10, healthyThreshold: 2, unhealthyThreshold: 2 },
      instances: ["node"],
    },
  ],
};

/** An ALB's group with every node on every one of these ports. */
function group(name: string, ports: number[]) {
  return {
    name,
    protocol: "HTTP" as const,
    port: ports[0] ?? 80,
    attributes: { "deregistration_delay.timeout_seconds": DELAY_SECONDS },
    healthCheck: { intervalSeconds: 15, healthyThreshold: 2, unhealthyThreshold: 2 },
    targets: [{ instances: ["node"], ports }],
  };
}
