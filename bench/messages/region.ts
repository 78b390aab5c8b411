import type { Clock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { LifecycleAction } from "../../src/simulator/world/lifecycle-action.ts";
import { World } from "../../src/simulator/world/world.ts";
import type { WaitingAction } from "./bodies.ts";
import type { Mix, MixedNode } from "./mix.ts";
import { ACCOUNT, REGION } from "./place.ts";

const VPC = "vpc-0123456789abcdef0";
const GROUPS = 20;
/** Of them each registered node is in so many. */
const GROUPS_OF_NODE = 2;
const SCALING_GROUP_SIZE = 50;
const HOOK = {
  name: "drain",
  transition: "autoscaling:EC2_INSTANCE_TERMINATING",
  heartbeatTimeoutSeconds: 3_600,
  // Only somebody's word makes it CONTINUE.
  defaultResult: "ABANDON",
} as const;

/** What has become of a region, as AWS's own books have it. */
export interface RegionReport {
  readonly hooksContinued: number;
  readonly hookCalls: number;
  /** Registrations that nobody has ended. */
  readonly stillRegistered: number;
  /** When each node was deregistered first, in milliseconds since the epoch. */
  readonly deregisteredAt: Readonly<Record<string, number>>;
  /** There were as many reads of targets as there are pools. */
  readonly isRead: boolean;
}

/**
 * A region without holds and without request quotas: groups whose deregistration delay is 0, all behind ALBs, and the
 * nodes of a mix, as they are when their messages come.
 */
export class MessagesRegion {
  readonly simulator: Simulator;
  readonly #world: World;
  readonly #actions = new Map<string, LifecycleAction>();
  readonly #waiting: WaitingAction[] = [];
  readonly #deregisteredAt: Record<string, number> = {};

  constructor({ nodes }: Pick<Mix, "nodes">, clock: Clock) {
    const world = new World({ clock, region: REGION, accountId: ACCOUNT });
    this.#world = world;
    this.simulator = new Simulator(world);
    for (const [index, { id }] of nodes.entries())
      world.addInstance({ id, vpcId: VPC, privateIp: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` });
    this.#register(nodes.filter(({ isRegistered }) => isRegistered));
    this.#scaleIn(nodes.filter(({ departs }) => departs === "scaledIn").map(({ id }) => id));
    for (const { id, departs } of nodes) {
      const instance = world.instance(id);
      if (instance === undefined) continue;
      if (departs === "shuttingDown") world.terminateInstance(instance);
      if (departs === "stopping") world.stopInstance(instance);
    }
    world.watch((change) => {
      if (change.type === "target-deregistered") this.#deregisteredAt[change.target.id] ??= clock.now();
    });
  }

  /** What waits for somebody's CONTINUE. */
  get waiting(): readonly WaitingAction[] {
    return this.#waiting;
  }

  report(): RegionReport {
    const groups = [...this.#world.targetGroups.values()];
    const now = this.#world.clock.now();
    const { calls } = this.simulator;
    return {
      hooksContinued: [...this.#actions.values()].filter(({ result }) => result === "CONTINUE").length,
      hookCalls: calls.get("autoscaling:CompleteLifecycleAction") ?? 0,
      stillRegistered: groups.flatMap((group) => group.listed(now)).filter((target) => !target.deregisteredAt).length,
      deregisteredAt: this.#deregisteredAt,
      isRead: (calls.get("elasticloadbalancing:DescribeTargetHealth") ?? 0) >= GROUPS,
    };
  }

  #register(nodes: readonly MixedNode[]): void {
    const world = this.#world;
    const groups = Array.from({ length: GROUPS }, (_, index) => {
      const group = world.addTargetGroup({
        name: `group-${index}`,
        vpcId: VPC,
        protocol: "HTTP",
        port: 30_080,
        targetType: "instance",
      });
      group.attributes.set("deregistration_delay.timeout_seconds", "0");
      const loadBalancer = world.addLoadBalancer({ name: `alb-${index}`, type: "application", vpcId: VPC });
      const defaultActions = [{ type: "forward" as const, groups: [{ arn: group.arn, weight: 1 }] }];
      world.addListener(loadBalancer, { protocol: "HTTP", port: 80, defaultActions });
      return group;
    });
    for (const [index, { id }] of nodes.entries()) {
      for (let each = 0; each < GROUPS_OF_NODE; each++) {
        const group = groups[(index * GROUPS_OF_NODE + each) % GROUPS];
        if (group !== undefined) world.registerTarget(group, { id }, { settled: true });
      }
    }
  }

  #scaleIn(ids: readonly string[]): void {
    const world = this.#world;
    const now = world.clock.now();
    for (let first = 0; first < ids.length; first += SCALING_GROUP_SIZE) {
      const instanceIds = ids.slice(first, first + SCALING_GROUP_SIZE);
      const group = world.addAutoScalingGroup({ name: `asg-${first}`, instanceIds, hooks: [HOOK] });
      for (const instanceId of instanceIds) {
        const scaleIn = group.beginScaleIn(instanceId, now);
        scaleIn.catchUp(now);
        const [action] = scaleIn.activeActions(now);
        if (action === undefined) throw new Error(`no hook waits for ${instanceId}`);
        this.#actions.set(instanceId, action);
        this.#waiting.push({ instanceId, group: group.name, hook: HOOK.name, token: action.token });
      }
    }
  }
}
