import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { VPC } from "../support/simulated-region.ts";
import { missingOf, RunningKubernetesProgram } from "./support/kubernetes-programs.ts";
import { ENVIRONMENT } from "./support/programs.ts";

/** A deregistration delay of half a minute takes a second. */
const SPEED = 30;
const NODES = 7;
const PROGRAM = "aws-sdk-go";

/** What each paginator reads: how many pages of how many things in all. */
const PAGES = [
  ["ec2 DescribeInstances", 2, 7],
  ["ec2 DescribeInstanceStatus", 2, 7],
  ["ec2 DescribeTags", 3, 12],
  ["ec2 DescribeSubnets", 1, 3],
  ["ec2 DescribeVpcs", 1, 1],
  ["ec2 DescribeNetworkInterfaces", 2, 7],
  ["ec2 DescribeSecurityGroups", 1, 1],
  ["ec2 DescribeRouteTables", 1, 1],
  ["elbv2 DescribeAccountLimits", 9, 18],
  ["elbv2 DescribeLoadBalancers", 2, 3],
  ["elbv2 DescribeTargetGroups", 2, 3],
  ["elbv2 DescribeListeners", 2, 3],
  ["elbv2 DescribeRules", 2, 3],
  ["elb DescribeLoadBalancers", 2, 3],
  ["autoscaling DescribeAutoScalingGroups", 2, 3],
  ["autoscaling DescribeAutoScalingInstances", 3, 5],
  ["autoscaling DescribeTags", 2, 3],
  ["autoscaling DescribeScalingActivities", 1, 0],
  ["autoscaling DescribeLoadBalancerTargetGroups", 2, 3],
  ["autoscaling DescribeLoadBalancers", 2, 3],
  ["autoscaling DescribeTrafficSources", 3, 6],
  ["autoscaling DescribeInstanceRefreshes", 1, 0],
];
const CALLS_AND_WAITERS = 26;

interface Result {
  readonly name: string;
  readonly pages?: number;
  readonly items?: number;
  readonly error?: string;
}

/** More of everything than the program's pages have room for. */
async function region() {
  const world = new World({ clock: new ScaledClock(SPEED) });
  const nodes = Array.from({ length: NODES }, (_, node) =>
    world.addInstance({
      id: `i-${String(node + 1).padStart(17, "0")}`,
      vpcId: VPC,
      privateIp: `10.0.0.${node + 1}`,
      tags: { "kubernetes.io/cluster/demo": "owned" },
    }),
  );
  const groups = [0, 1, 2].map((number) => {
    const group = world.addTargetGroup({
      ...{ name: `web-${number}`, vpcId: VPC, protocol: "HTTP", port: 30080, targetType: "instance" },
    });
    group.attributes.set("deregistration_delay.timeout_seconds", "30");
    for (const { id } of nodes.slice(0, 3)) world.registerTarget(group, { id }, { settled: true });
    const loadBalancer = world.addLoadBalancer({ name: `shop-${number}`, type: "application", vpcId: VPC });
    const defaultActions = [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }] as const;
    for (const port of [80, 81, 82]) {
      const listener = world.addListener(loadBalancer, { protocol: "HTTP", port, defaultActions });
      for (const priority of [1, 2])
        world.addRule(listener, {
          priority,
          conditions: [{ field: "path-pattern", values: [`/${priority}`] }],
          actions: defaultActions,
        });
    }
    return group;
  });
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30080 }];
  const classics = [0, 1, 2].map((number) => {
    const classic = world.addClassic({ name: `legacy-${number}`, vpcId: VPC, listeners });
    classic.draining = { enabled: true, timeoutSeconds: 30 };
    for (const { id } of nodes.slice(0, 3)) classic.register(id, world.clock.now(), { settled: true });
    return classic;
  });
  const blue = world.addAutoScalingGroup({
    ...{ name: "blue", targetGroups: groups, classics },
    instanceIds: nodes.slice(2).map(({ id }) => id),
  });
  for (const team of ["a", "b", "c"]) blue.tags.set(`team-${team}`, team);
  for (const name of ["green", "red"]) world.addAutoScalingGroup({ name, instanceIds: [] });
  const simulator = new Simulator(world);
  onTestFinished(() => simulator.close());
  return { nodes, url: await simulator.listen() };
}

describe.skipIf(missingOf([PROGRAM]) !== undefined && process.env["CONFORMANCE"] !== "required")(
  "aws-sdk-go-v2",
  () => {
    beforeEach(() => expect(missingOf([PROGRAM])).toBeUndefined());

    test("its paginators read every page, and its waiters end when what they wait for is so", async () => {
      const { nodes, url } = await region();
      const program = new RunningKubernetesProgram(PROGRAM, [], {
        ...ENVIRONMENT,
        AWS_ENDPOINT_URL: url,
        NODES: nodes.map(({ id }) => id).join(","),
      });
      onTestFinished(() => program.kill());
      await program.ended;
      const results: readonly Result[] = program.output
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(results.filter(({ error }) => error !== undefined)).toEqual([]);
      const read = results.flatMap(({ name, pages, items = 0 }) => (pages === undefined ? [] : [[name, pages, items]]));
      expect(read).toEqual(PAGES);
      // The calls that change something, and the waiters for what follows.
      expect(results.length - read.length).toBe(CALLS_AND_WAITERS);
    });
  },
);
