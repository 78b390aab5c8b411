import { TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeInstanceHealthCommand,
  DescribeLoadBalancersCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  DeregisterTargetsCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  type TargetDescription,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsClients } from "../aws/clients.ts";
import type { Clock } from "../drain/clock.ts";
import type { Drainer } from "../drain/drainer.ts";

interface StrategyContext {
  readonly nodeId: string;
  readonly clock: Clock;
  readonly clients: AwsClients;
  readonly drainer: Drainer;
  readonly signal: AbortSignal;
  /** Notes a moment on the timeline. */
  readonly mark: (moment: Moment) => void;
}

export type Moment = "deregistered" | "terminated";

/** One way to remove a node. It ends when the node is terminated. */
export interface Strategy {
  readonly name: "terminate" | "wait-for-unused" | "hasta-la-vista";
  readonly what: string;
  /** How long after the termination losses can still happen, in milliseconds. */
  readonly aftermathMs: number;
  run(context: StrategyContext): Promise<void>;
}

/** AWS's own waiters read this often. */
const WAITER_INTERVAL_MS = 15_000;

export const STRATEGIES: readonly Strategy[] = [
  {
    name: "terminate",
    what: "the node is terminated while it is registered",
    aftermathMs: 70_000,
    async run(context) {
      await terminate(context);
    },
  },
  {
    name: "wait-for-unused",
    what: "deregistered, and terminated once AWS's own waiter would be content",
    aftermathMs: 125_000,
    async run(context) {
      await deregisterAndWait(context);
      await terminate(context);
    },
  },
  {
    name: "hasta-la-vista",
    what: "drained by hasta-la-vista, then terminated",
    aftermathMs: 30_000,
    async run(context) {
      const { drainer, nodeId, signal } = context;
      context.mark("deregistered");
      const outcome = await drainer.drain(
        { node: { by: "id", value: nodeId }, dryRun: false, isVoluntary: true },
        signal,
      );
      if (outcome.status !== "drained") throw new Error(`the drain ended ${outcome.status}`);
      await terminate(context);
    },
  },
];

async function terminate({ clients, nodeId, mark }: StrategyContext): Promise<void> {
  await clients.ec2.send(new TerminateInstancesCommand({ InstanceIds: [nodeId] }));
  mark("terminated");
}

async function deregisterAndWait(context: StrategyContext): Promise<void> {
  const { clients, nodeId, mark } = context;
  const { TargetGroups = [] } = await clients.v2.send(new DescribeTargetGroupsCommand({}));
  const waits: Promise<void>[] = [];
  mark("deregistered");
  for (const { TargetGroupArn } of TargetGroups) {
    const { TargetHealthDescriptions = [] } = await clients.v2.send(
      new DescribeTargetHealthCommand({ TargetGroupArn }),
    );
    const Targets = TargetHealthDescriptions.map(({ Target }) => Target).filter(
      (target): target is TargetDescription => target?.Id === nodeId,
    );
    if (Targets.length === 0) continue;
    await clients.v2.send(new DeregisterTargetsCommand({ TargetGroupArn, Targets }));
    waits.push(
      poll(context, async () => {
        const health = await clients.v2.send(new DescribeTargetHealthCommand({ TargetGroupArn, Targets }));
        return (health.TargetHealthDescriptions ?? []).every(({ TargetHealth }) => TargetHealth?.State === "unused");
      }),
    );
  }
  const { LoadBalancerDescriptions = [] } = await clients.classic.send(new DescribeLoadBalancersCommand({}));
  for (const { LoadBalancerName } of LoadBalancerDescriptions) {
    const input = { LoadBalancerName, Instances: [{ InstanceId: nodeId }] };
    await clients.classic.send(new DeregisterInstancesFromLoadBalancerCommand(input));
    waits.push(
      poll(context, async () => {
        const health = await clients.classic.send(new DescribeInstanceHealthCommand(input));
        return (health.InstanceStates ?? []).every(({ State }) => State === "OutOfService");
      }),
    );
  }
  await Promise.all(waits);
}

async function poll({ clock, signal }: StrategyContext, isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) await clock.sleep(WAITER_INTERVAL_MS, signal);
}
