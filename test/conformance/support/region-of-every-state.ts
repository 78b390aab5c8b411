import type { Instance } from "../../../src/simulator/world/instance.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";

const HOUR_MS = 3_600_000;

/**
 * A region, at a moment that stays, with an instance, a load balancer, a target group and a classic load balancer in
 * every state and of every kind that the simulator knows.
 */
export async function regionOfEveryState(): Promise<SimulatedRegion> {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const healthy = region.node({
    secondaryIps: ["10.0.9.1"],
    ipv6Addresses: ["2001:db8::1"],
    ipv4Prefixes: ["10.1.0.0/28"],
    ipv6Prefixes: ["2001:db8:1::/80"],
    interfaces: [
      { privateIps: ["10.0.9.200"], branches: [{ privateIps: ["10.0.39.1"], vpcId: "vpc-0fedcba9876543210" }] },
    ],
    tags: { "kubernetes.io/cluster/demo": "owned", "odd & <tag>": "\"'é\u0001\n", empty: "" },
  });
  const draining = region.node();
  const gone = region.node();
  const unhealthy = region.node();
  const terminated = region.node();
  const shuttingDown = region.node();
  const stopped = region.node();
  const late = region.node();
  const elsewhere = region.node({ zone: `${world.region}d` });
  const nodes = [healthy, draining, gone, unhealthy, terminated, shuttingDown, stopped, elsewhere];

  const groups = [
    region.group({ name: "alb", nodes, tags: { "kubernetes.io/cluster/demo": "owned", "a + b": "" } }),
    region.group({ name: "nlb", type: "network", nodes }),
    region.group({ name: "gwlb", type: "gateway", nodes, port: 6081 }),
    region.group({ name: "addresses", targetType: "ip", nodes }),
    region.group({ name: "quic", type: "network", protocol: "TCP_QUIC", targetType: "ip", nodes }),
  ];
  groups[1]?.attributes.set("target_health_state.unhealthy.connection_termination.enabled", "false");
  groups[1]?.attributes.set("target_health_state.unhealthy.draining_interval_seconds", "360000");
  const idle = world.addTargetGroup({ name: "idle", vpcId: VPC, protocol: "TCP", port: 443, targetType: "instance" });
  for (const { id } of nodes) world.registerTarget(idle, { id });
  const udp = { vpcId: VPC, protocol: "UDP", port: 53, targetType: "instance" } as const;
  world.addTargetGroup({ name: "udp", ...udp });
  world.addTargetGroup({ name: "function", vpcId: VPC, protocol: "HTTP", port: 80, targetType: "lambda" });
  addRules(region, groups[0]?.arn ?? "");
  const classics = [
    region.classic({ name: "classic", nodes, drainingSeconds: 3_600, tags: { "a + b": "é" } }),
    region.classic({ name: "abrupt", nodes }),
  ];

  addScalingGroups(region, nodes.slice(0, 6), late);

  world.setAnswering(unhealthy, false);
  world.terminateInstance(terminated);
  world.stopInstance(stopped);
  for (const group of groups) world.deregisterTarget(group, { id: gone.id });
  for (const classic of classics) world.deregisterClassic(classic, gone.id);
  await clock.advance(2 * HOUR_MS);

  world.terminateInstance(shuttingDown);
  for (const group of groups) {
    const isByAddress = group.targetType === "ip";
    world.deregisterTarget(group, { id: isByAddress ? draining.privateIp : draining.id });
    world.registerTarget(group, { id: isByAddress ? late.privateIp : late.id });
  }
  for (const classic of classics) {
    world.deregisterClassic(classic, draining.id);
    classic.register(late.id, clock.now());
    classic.requestStarted(draining.id);
  }
  return region;
}

/** One with hooks, one at its least size that has pools of its own, an empty one, and one that retains instances. */
function addScalingGroups({ world }: SimulatedRegion, nodes: readonly Instance[], late: Instance): void {
  const [web] = world.targetGroups.values();
  const [classic] = world.classics.values();
  const ids = nodes.map(({ id }) => id);
  const drain = {
    name: "drain",
    transition: "autoscaling:EC2_INSTANCE_TERMINATING",
    heartbeatTimeoutSeconds: 7_200,
    defaultResult: "ABANDON",
  } as const;
  const boot = { ...drain, name: "boot/1", transition: "autoscaling:EC2_INSTANCE_LAUNCHING" } as const;
  const workers = world.addAutoScalingGroup({ name: "workers", instanceIds: ids, hooks: [drain, boot] });
  workers.tags.set("a + b", "é");
  if (web === undefined || classic === undefined) throw new Error("nothing to own");
  const own = { targetGroups: [web], classics: [classic] };
  world.addAutoScalingGroup({ name: "small", instanceIds: [late.id], minSize: 1, ...own });
  world.addAutoScalingGroup({ name: "empty", instanceIds: [] });
  world.addAutoScalingGroup({ name: "retaining", instanceIds: [], retainsAbandoned: true });
}

function addRules({ world }: SimulatedRegion, arn: string): void {
  const listener = world.loadBalancerOf(arn)?.listeners[0];
  if (listener === undefined) throw new Error("the group is on no listener");
  const forward = { type: "forward", groups: [{ arn, weight: 1 }] } as const;
  world.addRule(listener, {
    priority: 1,
    conditions: [{ field: "path-pattern", values: ["/a/*", "/<b>&\u0001"] }],
    actions: [forward],
  });
  world.addRule(listener, {
    priority: 2,
    conditions: [{ field: "host-header", values: ["*.example.org"] }],
    actions: [{ type: "redirect", statusCode: "HTTP_302", host: "example.net" }],
  });
  world.addRule(listener, {
    priority: 3,
    conditions: [{ field: "path-pattern", values: ["/gone"] }],
    actions: [{ type: "fixed-response", statusCode: "410", body: "gone" }],
  });
}
