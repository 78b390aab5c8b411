import type { Clock } from "../../src/simulator/clock.ts";
import type { AutoScalingGroup } from "../../src/simulator/world/auto-scaling-group.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { World } from "../../src/simulator/world/world.ts";

/** What the node that leaves is registered with. */
export const KINDS = ["alb", "classic", "nlb"] as const;
export type Kind = (typeof KINDS)[number];

/** In the account's region. A load balancer of its own is before each group. */
const GROUPS = 50;
const CLASSICS = 5;
/** Of those of the kind, the node and those that stay are in so many. */
const MEMBER_GROUPS = 10;
const MEMBER_CLASSICS = 2;
/** The deregistration delay of groups, and the draining timeout of classic load balancers. */
const DELAY_SECONDS = 30;
const STAYING_NODES = 2;
const VPC = "vpc-0123456789abcdef0";
const PORT = 30_080;
const REGION = "eu-west-1";
const HEALTH_CHECK = { intervalMs: 10_000, healthyThreshold: 2, unhealthyThreshold: 2 };

export interface RegionInput {
  readonly kind: Kind;
  readonly clock: Clock;
  /** Of the termination hook that a program completes. */
  readonly hookName: string;
  /** Tells the nodes of several regions apart, which one cluster may have. From 0 to 255. */
  readonly number: number;
}

export interface Region {
  readonly kind: Kind;
  readonly world: World;
  readonly workers: AutoScalingGroup;
  readonly nodes: readonly Instance[];
  /** The load balancers that have clients, by name. */
  readonly busy: readonly string[];
}

/** A region with an Auto Scaling group whose nodes are behind load balancers of one kind, at AWS's usual delays. */
export function buildRegion({ kind, clock, hookName, number }: RegionInput): Region {
  const world = new World({ clock, region: REGION });
  const nodes = Array.from({ length: 1 + STAYING_NODES }, (_, node) =>
    world.addInstance({
      id: `i-${String(number).padStart(4, "0")}${String(node).padStart(13, "0")}`,
      vpcId: VPC,
      privateIp: `10.0.${number}.${node + 1}`,
      tags: { "kubernetes.io/cluster/bench": "owned" },
    }),
  );
  const busy: string[] = [];
  for (let index = 0; index < GROUPS; index++) {
    const name = `group-${index}`;
    const group = addGroup(world, name, kind);
    if (kind === "classic" || (index + 1) % (GROUPS / MEMBER_GROUPS) !== 0) continue;
    for (const { id } of nodes) world.registerTarget(group, { id }, { settled: true });
    busy.push(name);
  }
  for (let index = 0; index < CLASSICS; index++) {
    const name = `classic-${index}`;
    const isIn = kind === "classic" && index < MEMBER_CLASSICS;
    addClassic(world, name, isIn ? nodes : []);
    if (isIn) busy.push(name);
  }
  const hook = {
    name: hookName,
    transition: "autoscaling:EC2_INSTANCE_TERMINATING",
    heartbeatTimeoutSeconds: 300,
    defaultResult: "ABANDON",
  } as const;
  const workers = world.addAutoScalingGroup({ name: "workers", instanceIds: nodes.map(({ id }) => id), hooks: [hook] });
  return { kind, world, workers, nodes, busy };
}

/** All groups are behind load balancers of the kind, and behind ALBs where the kind has no groups. */
function addGroup(world: World, name: string, kind: Kind): TargetGroup {
  const protocol = kind === "nlb" ? "TCP" : "HTTP";
  const group = world.addTargetGroup({
    ...{ name, vpcId: VPC, protocol, port: PORT, targetType: "instance", healthCheck: HEALTH_CHECK },
  });
  group.attributes.set("deregistration_delay.timeout_seconds", String(DELAY_SECONDS));
  const type = kind === "nlb" ? "network" : "application";
  const loadBalancer = world.addLoadBalancer({ name, type, vpcId: VPC });
  const forward = { type: "forward", groups: [{ arn: group.arn, weight: 1 }] } as const;
  world.addListener(loadBalancer, { protocol, port: 80, defaultActions: [forward] });
  return group;
}

function addClassic(world: World, name: string, nodes: readonly Instance[]): void {
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: PORT }];
  const classic = world.addClassic({ name, vpcId: VPC, listeners });
  classic.draining = { enabled: true, timeoutSeconds: DELAY_SECONDS };
  classic.healthCheck = HEALTH_CHECK;
  for (const { id } of nodes) world.registerClassic(classic, id, { settled: true });
}
