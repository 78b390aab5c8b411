import { newAbort } from "../../../src/drain/abort.ts";
import type { CloudCall } from "../../../src/drain/events.ts";
import type { DrainOutcome } from "../../../src/drain/outcome.ts";
import { AWS_QUOTAS } from "../../../src/simulator/quotas/quotas.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { Breaking } from "./breaking.ts";
import { CALLS, type CallName } from "./calls.ts";
import type { FaultName } from "./faults.ts";

/** `holding`: every call from the first deregistration on. */
export const MOMENTS = ["first", "every", "holding"] as const;
type Moment = (typeof MOMENTS)[number];

export interface Cell<M = Moment> {
  readonly call: CallName;
  readonly fault: FaultName;
  readonly moment: M;
}

/** What came of it. */
export interface CellResult {
  readonly region: SimulatedRegion;
  readonly node: Instance;
  readonly outcome: DrainOutcome;
  /** When the outcome came. Milliseconds since the epoch. */
  readonly endedAt: number;
  readonly limitAt: number;
  /** How many calls the fault has struck. */
  readonly struck: number;
  readonly attempts: readonly CloudCall[];
  /** When the node left each pool in truth, the last time, by the pool's name. */
  readonly leftAt: ReadonlyMap<string, number>;
  /** What is still waited for with `signal`. */
  readonly signal: AbortSignal;
}

/** Everything takes a part of the time that it takes on AWS: the order stays. */
export const TIMING = { albDeregistration: [3_000, 8_000], nlbDeregistration: [10_000, 20_000] } as const;
export const OPTIONS = {
  INDEX_RATE: "0",
  // Few calls: a thousandfold throttling tells no more than a hundredfold.
  QUOTA_SHARE: "0.3",
  ALB_PROPAGATION: "10",
  NLB_PROPAGATION: "25",
  GWLB_IDLE: "30",
  CLASSIC_MINIMUM: "5",
  DEADLINE_MARGIN: "10",
};
const DELAY_SECONDS = 20;
const CLASSIC_DRAINS_SECONDS = 15;
/** How long the node must have been out of each pool before it may go, in milliseconds. */
export const HOLDS_MS: Readonly<Record<string, number>> = { web: 20_000, tcp: 25_000, legacy: 15_000 };
/** How long it takes from the beginning to the deadline, and to the drain's limit. */
const TIMES = { deadlineSeconds: 80, limitSeconds: 70 };
/** A GWLB keeps flows for two minutes at least. */
const TIMES_OF_FLOWS = { deadlineSeconds: 190, limitSeconds: 180 };
const OF_LISTENERS: ReadonlySet<CallName> = new Set<CallName>([
  "elbv2 DescribeListeners",
  "elbv2 DescribeListenerAttributes",
]);
/** Before anything may be released: a controller registers the node again in every pool that it has left. */
const BACK_AFTER_MS = 8_000;
export const REQUEST_TIMEOUT_MS = 10_000;

const BRANCH_ADDRESS = "10.0.39.1";

/** Calls that nobody makes during a hold unless the node comes back. */
const WHEN_BACK: ReadonlySet<CallName> = new Set<CallName>([
  "ec2 DescribeInstances",
  "ec2 DescribeNetworkInterfaces",
  "elbv2 DeregisterTargets",
  "classic DeregisterInstancesFromLoadBalancer",
]);

/** One drain in a small region in which one call fails in one way. */
export async function runCell({ call: name, fault, moment }: Cell): Promise<CellResult> {
  const { region, node } = smallRegion(name);
  const { deadlineSeconds, limitSeconds } = OF_LISTENERS.has(name) ? TIMES_OF_FLOWS : TIMES;
  const leftAt = new Map<string, number>();
  const breaking = new Breaking(region, name, fault);
  if (moment !== "holding") breaking.begin(moment);
  region.world.watch((change) => {
    if (change.type !== "target-deregistered" && change.type !== "classic-deregistered") return;
    const [pool, id] =
      change.type === "target-deregistered"
        ? [change.group.name, change.target.id]
        : [change.loadBalancer.name, change.instanceId];
    if (id !== node.id && id !== node.privateIp) return;
    leftAt.set(pool, region.clock.now());
    if (moment === "holding" && leftAt.size === 1) breaking.begin("every");
  });

  const attempts: CloudCall[] = [];
  const discovery = CALLS[name].action.endsWith("DescribeTags") ? "tag" : "vpc";
  const { drainer } = region.wholeEngine({ ...OPTIONS, DISCOVERY: discovery }, [], (attempt) => attempts.push(attempt));
  const { signal } = newAbort();
  const startedAt = region.clock.now();
  const deadline = startedAt + deadlineSeconds * 1_000;
  const drain = drainer.drain({ node: { by: "id", value: node.id }, dryRun: false, deadline }, signal);
  if (moment === "holding" && WHEN_BACK.has(name)) {
    await region.clock.advance(BACK_AFTER_MS);
    registerAgain(region, node);
  }
  const outcome = await region.clock.run(drain);
  const endedAt = region.clock.now();
  const limitAt = startedAt + limitSeconds * 1_000;
  return { region, node, outcome, endedAt, limitAt, struck: breaking.struck, attempts, leftAt, signal };
}

/**
 * A node and another one in a pool of each kind; and a classic load balancer that holds the other one alone. What few nodes
 * have is there for the calls that are about it: a pod with security groups of its own, and a GWLB.
 */
function smallRegion(call: CallName) {
  const region = new SimulatedRegion(TIMING);
  region.simulator.limit(AWS_QUOTAS);
  region.requestTimeoutMs = REQUEST_TIMEOUT_MS;
  const trunk = { privateIps: ["10.0.0.200"], branches: [{ privateIps: [BRANCH_ADDRESS] }] };
  const node = region.node(call === "ec2 DescribeNetworkInterfaces" ? { interfaces: [trunk] } : {});
  const nodes = [node, region.node()];
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  region.group({ name: "web", nodes, delaySeconds: DELAY_SECONDS, tags });
  const tcp = region.group({
    name: "tcp",
    type: "network",
    targetType: "ip",
    nodes,
    delaySeconds: DELAY_SECONDS,
    tags,
  });
  if (call === "ec2 DescribeNetworkInterfaces")
    region.world.registerTarget(tcp, { id: BRANCH_ADDRESS }, { settled: true });
  const flows = { name: "flows", type: "gateway", nodes, delaySeconds: DELAY_SECONDS, idleTimeoutSeconds: 60 } as const;
  if (OF_LISTENERS.has(call)) region.group(flows);
  const legacy = region.classic({ name: "legacy", nodes, drainingSeconds: CLASSIC_DRAINS_SECONDS, tags });
  // One that does not end: it drains for as long as it may.
  legacy.requestStarted(node.id);
  region.classic({ name: "other", nodes: nodes.slice(1), tags });
  return { region, node };
}

function registerAgain({ world }: SimulatedRegion, node: Instance): void {
  for (const group of world.targetGroups.values()) {
    world.registerTarget(group, { id: group.targetType === "ip" ? node.privateIp : node.id });
  }
  const legacy = world.classics.get("legacy");
  if (legacy !== undefined) world.registerClassic(legacy, node.id);
}
