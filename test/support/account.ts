import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { endpoint } from "./endpoint.ts";
import { FastClock } from "./fast-clock.ts";
import { stateDir } from "./ledger-entries.ts";
import { restrictChildren } from "./printed-policy.ts";
import { type Intercept, VPC } from "./simulated-region.ts";

export const ID = "i-0123456789abcdef0";
export const OTHER_ID = "i-0123456789abcdef1";
/** Holds of a second or two, so that a drain on real time ends soon. */
const QUICK = { ALB_PROPAGATION: "1", NLB_PROPAGATION: "2", CLASSIC_MINIMUM: "1" };

/**
 * A node in an ALB's, an NLB's and a classic load balancer's pool, another one beside it in each, so that it may go, and
 * the environment that leads there. With a `speed`, a program in this process gets the region's `clock`.
 */
export async function account(intercept?: Intercept, speed = 1) {
  const clock = new ScaledClock(speed);
  const world = new World({
    clock,
    timing: { classicDeregistration: [0, 0], shuttingDownMs: 100 },
  });
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  world.addInstance({ id: ID, vpcId: VPC, privateIp: "10.0.1.5", tags });
  world.addInstance({ id: OTHER_ID, vpcId: VPC, privateIp: "10.0.1.250", tags });
  for (const [name, type, protocol] of [
    ["web", "application", "HTTP"],
    ["tcp", "network", "TCP"],
  ] as const) {
    const group = world.addTargetGroup({ name, vpcId: VPC, protocol, port: 30080, targetType: "instance" });
    group.attributes.set("deregistration_delay.timeout_seconds", "1");
    const loadBalancer = world.addLoadBalancer({ name: `${name}-lb`, type, vpcId: VPC });
    const defaultActions = [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }] as const;
    world.addListener(loadBalancer, { protocol, port: 80, defaultActions });
    for (const id of [ID, OTHER_ID]) world.registerTarget(group, { id, port: 30081 }, { settled: true });
  }
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30080 }];
  const classic = world.addClassic({ name: "legacy", vpcId: VPC, listeners });
  for (const id of [ID, OTHER_ID]) classic.register(id, world.clock.now(), { settled: true });
  const simulator = new Simulator(world);
  restrictChildren(simulator);
  const fast = new FastClock(clock);
  const AWS_ENDPOINT_URL = await endpoint(simulator, intercept);
  // Its drains are recorded where no other test looks.
  return { world, simulator, clock: fast, env: { ...QUICK, AWS_ENDPOINT_URL, XDG_STATE_HOME: await stateDir() } };
}
