import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { DescribeLoadBalancersCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { AWS_QUOTAS, type Quotas } from "../../src/simulator/quotas/quotas.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const PLENTY = { tokens: 1_000_000, refillPerSecond: 0 };
/** AWS's quotas without the account's own bucket, which is as small as the one for reads. */
const WITHOUT_ACCOUNT: Quotas = { ...AWS_QUOTAS, account: PLENTY };

const VERSIONS = { ec2: "2016-11-15", classic: "2012-06-01", elbv2: "2015-12-01" };
type Api = keyof typeof VERSIONS;

/** A region under quotas, and how many calls in a row it lets through. */
function limited(quotas: Quotas | undefined) {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node] });
  region.classic({ name: "old", nodes: [node] });
  region.simulator.limit(quotas);
  const isRefused = (api: Api, parameters: string) => {
    const { status, body } = region.simulator.answer({ body: `Version=${VERSIONS[api]}&${parameters}` });
    return (status === 400 || status === 503) && /Throttling|RequestLimitExceeded/.test(body);
  };
  /** Calls until one is refused, which the bucket must not pay for. */
  const passing = (api: Api, parameters: string) => {
    let passed = 0;
    while (passed < 1_000 && !isRefused(api, parameters)) passed += 1;
    return passed;
  };
  const targets = `TargetGroupArn=${encodeURIComponent(group.arn)}&Targets.member.1.Id=${node.id}`;
  return { region, node, passing, targets };
}

const READ = "Action=DescribeLoadBalancers";

describe("with AWS's quotas", () => {
  test("40 reads pass at once, the next is refused, and 10 more pass after a second", async () => {
    const { region, passing } = limited(AWS_QUOTAS);
    expect(passing("elbv2", READ)).toBe(40);
    await region.clock.advance(99);
    expect(passing("elbv2", READ)).toBe(0);
    await region.clock.advance(1);
    expect(passing("elbv2", READ)).toBe(1);
    await region.clock.advance(1_000);
    expect(passing("elbv2", READ)).toBe(10);
    await region.clock.advance(3_600_000);
    expect(passing("elbv2", READ)).toBe(40);
  });

  test("20 registrations and deregistrations pass together, then 4 a second", async () => {
    const { region, passing, targets } = limited(AWS_QUOTAS);
    expect(passing("elbv2", `Action=DeregisterTargets&${targets}`)).toBe(20);
    expect(passing("elbv2", `Action=RegisterTargets&${targets}`)).toBe(0);
    await region.clock.advance(1_000);
    expect(passing("elbv2", `Action=RegisterTargets&${targets}`)).toBe(4);
  });

  test("the classic API has buckets of its own, for instances too", () => {
    const { passing, targets, node } = limited(WITHOUT_ACCOUNT);
    const instances = `LoadBalancerName=old&Instances.member.1.InstanceId=${node.id}`;
    expect(passing("elbv2", `Action=DeregisterTargets&${targets}`)).toBe(20);
    expect(passing("classic", `Action=DeregisterInstancesFromLoadBalancer&${instances}`)).toBe(20);
    expect(passing("elbv2", READ)).toBe(40);
    expect(passing("classic", READ)).toBe(40);
  });

  test("both load balancing APIs share the account's bucket", async () => {
    const { region, passing, targets } = limited(AWS_QUOTAS);
    expect(passing("elbv2", `Action=DeregisterTargets&${targets}`)).toBe(20);
    expect(passing("elbv2", READ)).toBe(20);
    expect(passing("classic", READ)).toBe(0);
    await region.clock.advance(500);
    expect(passing("classic", READ)).toBe(5);
  });

  test.each([
    ["changes", "Action=AddTags&ResourceArns.member.1=x", 20, 3],
    ["what costs AWS most", "Action=CreateLoadBalancer&Name=x", 10, 0],
  ])("%s have a bucket of their own", async (_, parameters, atOnce, afterASecond) => {
    const { region, passing } = limited(WITHOUT_ACCOUNT);
    expect(passing("elbv2", parameters)).toBe(atOnce);
    await region.clock.advance(1_000);
    expect(passing("elbv2", parameters)).toBe(afterASecond);
  });

  test.each([
    ["DescribeInstances by id", "Action=DescribeInstances&InstanceId.1=i-00000000000000001", 100, 20],
    ["DescribeInstances by filter", "Action=DescribeInstances&Filter.1.Name=vpc-id", 100, 20],
    ["DescribeInstances by page", "Action=DescribeInstances&MaxResults=5", 100, 20],
    ["DescribeInstances of everything", "Action=DescribeInstances", 50, 10],
    ["TerminateInstances", "Action=TerminateInstances", 100, 5],
    ["StopInstances", "Action=StopInstances", 50, 5],
  ])("EC2 lets pass what it does of %s", async (_, parameters, atOnce, afterASecond) => {
    const { region, passing } = limited(AWS_QUOTAS);
    expect(passing("ec2", parameters)).toBe(atOnce);
    await region.clock.advance(1_000);
    expect(passing("ec2", parameters)).toBe(afterASecond);
    expect(passing("elbv2", READ)).toBe(40);
  });

  test.each(["Throttling", "ThrottlingException"] as const)(
    "the SDK is refused with %s as it was told to",
    async (code) => {
      const { region, passing } = limited({ ...AWS_QUOTAS, code });
      passing("elbv2", READ);
      await expect(oneAttempt(region).v2.send(new DescribeLoadBalancersCommand({}))).rejects.toMatchObject({
        name: code,
        message: "Rate exceeded",
        $metadata: { httpStatusCode: 400 },
      });
    },
  );

  test("EC2 refuses with 503", async () => {
    const { region, passing } = limited(AWS_QUOTAS);
    passing("ec2", "Action=DescribeInstances");
    await expect(oneAttempt(region).ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({
      name: "RequestLimitExceeded",
      $metadata: { httpStatusCode: 503 },
    });
  });

  test("a refused deregistration changes nothing", async () => {
    const { region, passing, targets, node } = limited({
      ...AWS_QUOTAS,
      registration: { tokens: 0, refillPerSecond: 0 },
    });
    expect(passing("elbv2", `Action=DeregisterTargets&${targets}`)).toBe(0);
    const [group] = region.world.targetGroups.values();
    expect(group?.named({ id: node.id }, region.clock.now())?.deregisteredAt).toBeUndefined();
  });
});

test("without quotas nothing is refused, also after they were lifted", () => {
  expect(limited(undefined).passing("elbv2", READ)).toBe(1_000);
  const { region, passing } = limited(AWS_QUOTAS);
  passing("elbv2", READ);
  region.simulator.limit(undefined);
  expect(passing("elbv2", READ)).toBe(1_000);
});
