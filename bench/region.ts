import type { Clock } from "../src/simulator/clock.ts";
import { AWS_QUOTAS } from "../src/simulator/quotas/quotas.ts";
import { Simulator } from "../src/simulator/simulator.ts";
import type { TargetGroup } from "../src/simulator/world/target-group.ts";
import { World } from "../src/simulator/world/world.ts";

/** What there is in the region. Plain data: it is sent to another process, too. */
export interface RegionPlan {
  /** Those that leave. One more stays in each of their pools, so that a guard lets them go. */
  readonly nodes: number;
  /** Each behind an ALB of its own, all in the nodes' VPC. */
  readonly groups: number;
  readonly classics: number;
  /** In how many of the groups, and of the classic load balancers, every node is registered. */
  readonly memberGroups: number;
  readonly memberClassics: number;
  /** The groups' deregistration delay, and the classic load balancers' draining timeout. */
  readonly delaySeconds: number;
  /** AWS refuses every deregister call that names this node, counted from 0. */
  readonly refusedNode?: number;
}

export interface BenchRegion {
  readonly simulator: Simulator;
  /** In AWS's order, members or not. */
  readonly groupArns: readonly string[];
  readonly memberGroups: readonly string[];
  readonly memberClassics: readonly string[];
  /** What the rival keeps at: a group with one instance, in a VPC of its own. */
  readonly rival: { readonly group: string; readonly instance: string };
}

const REGION = "eu-west-1";
const VPC = "vpc-0123456789abcdef0";
const RIVAL = { vpc: "vpc-0fedcba9876543210", instance: "i-0fedcba9876543210" };
export const CLUSTER_TAG = "kubernetes.io/cluster/bench";
/** As many as AWS takes in one deregister call without ever refusing. */
export const TARGETS_PER_CALL_MAX = 100;
export const PORT = 30_080;
/** As many healthy targets as the product keeps in each pool by default. */
const STAYING_NODES = 1;

export function nodeId(node: number): string {
  return `i-${String(node).padStart(17, "0")}`;
}

/** A region as planned, at AWS's documented quotas, with everything registered long ago. */
export function buildRegion(plan: RegionPlan, clock: Clock): BenchRegion {
  const world = new World({ clock, region: REGION });
  const nodes = Array.from({ length: plan.nodes + STAYING_NODES }, (_, node) => nodeId(node));
  for (const [node, id] of nodes.entries()) {
    world.addInstance({
      id,
      vpcId: VPC,
      privateIp: `10.0.${node >> 8}.${node & 255}`,
      tags: { [CLUSTER_TAG]: "owned" },
    });
  }
  const memberGroups: string[] = [];
  for (let index = 0; index < plan.groups; index++) {
    const group = addGroup(world, `group-${index}`, VPC, plan.delaySeconds);
    if (!isMember(index, plan.memberGroups, plan.groups)) continue;
    memberGroups.push(group.arn);
    for (const id of nodes) world.registerTarget(group, { id }, { settled: true });
  }
  const memberClassics: string[] = [];
  for (let index = 0; index < plan.classics; index++) {
    const isIn = isMember(index, plan.memberClassics, plan.classics);
    const name = addClassic(world, `classic-${index}`, isIn ? nodes : [], plan.delaySeconds);
    if (isIn) memberClassics.push(name);
  }
  const groupArns = [...world.targetGroups.keys()];
  const rival = addRivals(world);
  return { simulator: limited(world, plan), groupArns, memberGroups, memberClassics, rival };
}

/** Spread evenly, the last one included: to know of all memberships, every pool must have been read. */
function isMember(index: number, members: number, pools: number): boolean {
  return Math.floor(((index + 1) * members) / pools) > Math.floor((index * members) / pools);
}

function addGroup(world: World, name: string, vpcId: string, delaySeconds: number): TargetGroup {
  const group = world.addTargetGroup({ name, vpcId, protocol: "HTTP", port: PORT, targetType: "instance" });
  group.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
  const loadBalancer = world.addLoadBalancer({ name: `${name}-alb`, type: "application", vpcId });
  world.addListener(loadBalancer, {
    protocol: "HTTP",
    port: 80,
    defaultActions: [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }],
  });
  for (const { tags } of [group, loadBalancer]) tags.set(CLUSTER_TAG, "owned");
  return group;
}

function addClassic(world: World, name: string, nodes: readonly string[], timeoutSeconds: number): string {
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: PORT }];
  const classic = world.addClassic({ name, vpcId: VPC, listeners });
  classic.draining = { enabled: true, timeoutSeconds };
  classic.tags.set(CLUSTER_TAG, "owned");
  for (const id of nodes) world.registerClassic(classic, id, { settled: true });
  return name;
}

function addRivals(world: World): BenchRegion["rival"] {
  const { vpc: vpcId, instance: id } = RIVAL;
  world.addInstance({ id, vpcId, privateIp: "10.9.0.1" });
  const group = addGroup(world, "rival", vpcId, 300);
  world.registerTarget(group, { id }, { settled: true });
  return { group: group.arn, instance: id };
}

function limited(world: World, { refusedNode }: RegionPlan): Simulator {
  const simulator = new Simulator(world);
  simulator.limit(AWS_QUOTAS);
  if (refusedNode === undefined) return simulator;
  const naming = nodeId(refusedNode);
  const message = `The following targets are not valid: '${naming}'`;
  simulator.faults.add({
    action: "DeregisterTargets",
    naming,
    effect: { type: "error", code: "InvalidTarget", message },
  });
  simulator.faults.add({
    action: "DeregisterInstancesFromLoadBalancer",
    naming,
    effect: { type: "error", code: "InvalidInstance", message },
  });
  return simulator;
}
