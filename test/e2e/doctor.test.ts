import { describe, expect, test } from "vitest";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { codesOf, doctorOf, mendAll } from "../support/doctor.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

const OTHER_VPC = "vpc-0fedcba9876543210";
/** Of pools, by what is wrong with each of them here. */
const namesOf = ({ findings }: Awaited<ReturnType<typeof doctorOf>>) => findings.map(({ resource }) => resource.name);

describe("doctor", () => {
  test("with CLUSTERNAME, audits the pools that carry its tag or have its nodes, and no others", async () => {
    const region = new SimulatedRegion();
    const [ours, theirs] = [region.node(), region.node({ tags: { "kubernetes.io/cluster/other": "owned" } })];
    region.group({ name: "nodes", nodes: [ours], delaySeconds: 0 });
    region.group({ name: "tagged", targetType: "ip", delaySeconds: 0, tags: { "elbv2.k8s.aws/cluster": "demo" } });
    region.group({ name: "theirs", nodes: [theirs], delaySeconds: 0 });
    region.group({ name: "empty", delaySeconds: 0 });
    expect(namesOf(await doctorOf(region, { CLUSTERNAME: "demo" }))).toEqual(["nodes", "tagged"]);
    expect(namesOf(await doctorOf(region))).toEqual(["empty", "nodes", "tagged", "theirs"]);
  });

  test("with VPCID, audits the pools of that VPC alone", async () => {
    const region = new SimulatedRegion();
    region.group({ name: "here", nodes: [region.node()], delaySeconds: 0 });
    region.group({ name: "there", vpcId: OTHER_VPC, delaySeconds: 0 });
    expect(namesOf(await doctorOf(region, { VPCID: OTHER_VPC }))).toEqual(["there"]);
  });

  test("leaves out target groups without a load balancer, which get no traffic", async () => {
    const region = new SimulatedRegion();
    const group = region.world.addTargetGroup({
      name: "spare",
      vpcId: "vpc-1",
      protocol: "HTTP",
      port: 80,
      targetType: "instance",
    });
    group.attributes.set("deregistration_delay.timeout_seconds", "0");
    expect(codesOf(await doctorOf(region))).toEqual(["nothing-found"]);
  });

  test("finds a delay longer than spot's notice also where pods are targets: their addresses are those of spot nodes", async () => {
    const region = new SimulatedRegion();
    const [node, other] = [region.node({ isSpot: true }), region.node({ isSpot: true })];
    region.group({ name: "pods", nodes: [node, other], targetType: "ip", delaySeconds: 300 });
    expect(codesOf(await doctorOf(region))).toEqual(["delay-longer-than-notice"]);
  });

  test("a delay longer than spot's notice makes drains end as deadline-passed, and the command ends that", async () => {
    const results = [];
    for (const isMended of [false, true]) {
      const region = new SimulatedRegion();
      const nodes = [region.node({ isSpot: true }), region.node({ isSpot: true })];
      region.group({ name: "web", nodes, delaySeconds: 300 });
      const report = await doctorOf(region);
      if (isMended) await mendAll(region, report, "delay-longer-than-notice");
      const isFound = codesOf(await doctorOf(region)).includes("delay-longer-than-notice");
      const deadline = region.clock.now() + 120_000;
      const node = { by: "id", value: nodes[0]?.id ?? "" } as const;
      const { status } = await region.clock.run(region.engine().drain({ node, dryRun: false, deadline }, never));
      results.push([isFound, status]);
    }
    expect(results).toEqual([
      [true, "deadline-passed"],
      [false, "drained"],
    ]);
  });

  test("goes on where one pool can't be read, and says which", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()];
    region.group({ name: "web", nodes, delaySeconds: 0 });
    const broken = region.group({ name: "broken", nodes });
    region.intercept = ({ action, params }) =>
      action === "DescribeTargetGroupAttributes" && params.get("TargetGroupArn") === broken.arn
        ? elbError("InvalidConfigurationRequest", "no")
        : undefined;
    const report = await doctorOf(region);
    expect(namesOf(report)).toEqual(["web"]);
    expect(report.notLookedAt).toEqual([
      { what: "the attributes and targets of broken", why: expect.stringContaining("InvalidConfigurationRequest") },
    ]);
  });

  test.each([
    "ec2:DescribeInstances",
    "elasticloadbalancing:DescribeInstanceHealth",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeLifecycleHooks",
  ])("where AWS denies %s, it says so, and never that all is well", async (denied) => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()];
    region.group({ name: "web", nodes, delaySeconds: 60 });
    region.classic({ name: "legacy", nodes, drainingSeconds: 60 });
    const hooks = [
      {
        name: "drain",
        transition: "autoscaling:EC2_INSTANCE_TERMINATING" as const,
        heartbeatTimeoutSeconds: 120,
        defaultResult: "CONTINUE" as const,
        notificationTarget: "arn:aws:sns:eu-west-1:1:topic",
      },
    ];
    region.world.addAutoScalingGroup({ name: "workers", instanceIds: nodes.map(({ id }) => id), hooks });
    const options = { CLUSTERNAME: "demo" };
    expect(await doctorOf(region, options)).toMatchObject({ findings: [], notLookedAt: [] });
    const report = await doctorOf(region, options, undefined, denied);
    expect(report.notLookedAt.map(({ why }) => why).join()).toContain(denied);
  });

  test("reads 450 target groups within the share of AWS's quota that the program has, and is never throttled", async () => {
    const region = new SimulatedRegion();
    const nodes = Array.from({ length: 4 }, () => region.node());
    for (let number = 1; number <= 450; number++) region.group({ name: `web-${number}`, nodes });
    region.simulator.limit(AWS_QUOTAS);
    const throttled: string[] = [];
    const before = region.clock.elapsedMs;
    const report = await doctorOf(
      region,
      { QUOTA_SHARE: "0.8" },
      (call) => call.throttled && throttled.push(call.action),
    );
    const seconds = (region.clock.elapsedMs - before) / 1_000;
    expect(report).toMatchObject({ lookedAt: { targetGroups: 450, instances: 4 }, findings: [], notLookedAt: [] });
    // Two calls a group, their tags by twenty, and lists: 32 at once and then 8 a second.
    expect(region.calls.length).toBeLessThan(960);
    expect(seconds).toBeLessThan(130);
    expect(throttled).toEqual([]);
  });
});
