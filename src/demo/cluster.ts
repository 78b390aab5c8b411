import type { Clock } from "../simulator/clock.ts";
import { DataPlane } from "../simulator/data-plane/data-plane.ts";
import { Simulator } from "../simulator/simulator.ts";
import { World } from "../simulator/world/world.ts";
import type { Destination } from "./traffic.ts";

const VPC = "vpc-0d3a0000000000001";
const CLUSTER_TAGS = { "kubernetes.io/cluster/demo": "owned" };
const NODES = 6;
const DELAY_SECONDS = "60";
const ALB_HEALTH_CHECK = { intervalMs: 15_000, healthyThreshold: 2, unhealthyThreshold: 2 };
const NLB_HEALTH_CHECK = { intervalMs: 10_000, healthyThreshold: 3, unhealthyThreshold: 3 };

export const CREDENTIALS = { accessKeyId: "simulated", secretAccessKey: "simulated" };

/** A small simulated cluster that carries real traffic: an ALB of four groups, an NLB, a classic load balancer. */
export interface DemoCluster {
  readonly world: World;
  readonly simulator: Simulator;
  /** AWS's endpoint. */
  readonly url: string;
  readonly destinations: readonly Destination[];
  /** The node that is to go. */
  readonly nodeId: string;
  close(): Promise<void>;
}

export async function openDemoCluster(clock: Clock): Promise<DemoCluster> {
  const world = new World({ clock });
  for (let number = 1; number <= NODES; number++) {
    const zone = `${world.region}${"abc"[number % 3]}`;
    world.addInstance({ id: nodeId(number), vpcId: VPC, privateIp: `10.0.0.${10 + number}`, zone, tags: CLUSTER_TAGS });
  }
  addApplicationLoadBalancer(world);
  addNetworkLoadBalancer(world);
  addClassicLoadBalancer(world);

  const simulator = new Simulator(world);
  const url = await simulator.listen();
  const plane = await DataPlane.open(world);
  return {
    world,
    simulator,
    url,
    nodeId: nodeId(3),
    destinations: [
      { name: "alb", url: `${plane.url("shop")}/` },
      { name: "alb, by rule", url: `${plane.url("shop")}/reports/today` },
      { name: "alb, by weight", url: `${plane.url("shop")}/api/orders` },
      { name: "nlb", url: plane.url("ingest") },
      { name: "classic", url: plane.url("legacy") },
    ],
    async close() {
      plane.close();
      await simulator.close();
    },
  };
}

function addApplicationLoadBalancer(world: World): void {
  const shop = world.addLoadBalancer({ name: "shop", type: "application", vpcId: VPC });
  const web = addGroup(world, { name: "shop-web", protocol: "HTTP", ports: [30080] });
  const api = addGroup(world, { name: "shop-api", protocol: "HTTP", ports: [30081, 30082] });
  const canary = addGroup(world, { name: "shop-api-canary", protocol: "HTTP", ports: [30083] });
  const reports = addGroup(world, { name: "shop-reports", protocol: "HTTP", ports: [30084] });
  const listener = world.addListener(shop, { protocol: "HTTP", port: 80, defaultActions: [forward([web, 1])] });
  world.addRule(listener, {
    priority: 10,
    conditions: [{ field: "path-pattern", values: ["/api/*"] }],
    actions: [forward([api, 3], [canary, 1])],
  });
  // Nothing but this rule leads to the group: whoever walks default actions misses it.
  world.addRule(listener, {
    priority: 20,
    conditions: [{ field: "path-pattern", values: ["/reports/*"] }],
    actions: [forward([reports, 1])],
  });
}

function addNetworkLoadBalancer(world: World): void {
  const ingest = world.addLoadBalancer({ name: "ingest", type: "network", vpcId: VPC });
  const group = addGroup(world, { name: "ingest-tcp", protocol: "TCP", ports: [30090] });
  world.addListener(ingest, { protocol: "TCP", port: 80, defaultActions: [forward([group, 1])] });
}

function addClassicLoadBalancer(world: World): void {
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30100 }];
  const legacy = world.addClassic({ name: "legacy", vpcId: VPC, listeners });
  legacy.draining = { enabled: true, timeoutSeconds: Number(DELAY_SECONDS) };
  legacy.healthCheck = { intervalMs: 10_000, healthyThreshold: 2, unhealthyThreshold: 2 };
  for (const id of world.instances.keys()) legacy.register(id, world.clock.now(), { settled: true });
}

function addGroup(
  world: World,
  { name, protocol, ports }: { readonly name: string; readonly protocol: string; readonly ports: readonly number[] },
): string {
  const healthCheck = protocol === "TCP" ? NLB_HEALTH_CHECK : ALB_HEALTH_CHECK;
  const port = ports[0] ?? 80;
  const group = world.addTargetGroup({ name, vpcId: VPC, protocol, port, targetType: "instance", healthCheck });
  group.attributes.set("deregistration_delay.timeout_seconds", DELAY_SECONDS);
  for (const id of world.instances.keys()) {
    for (const each of ports) world.registerTarget(group, { id, port: each }, { settled: true });
  }
  return group.arn;
}

function forward(...groups: readonly (readonly [arn: string, weight: number])[]) {
  return { type: "forward", groups: groups.map(([arn, weight]) => ({ arn, weight })) } as const;
}

function nodeId(number: number): string {
  return `i-0de30000000000000`.slice(0, -1) + String(number);
}
