import {
  CompleteLifecycleActionCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { DescribeInstancesCommand, StopInstancesCommand } from "@aws-sdk/client-ec2";
import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeLoadBalancersCommand as DescribeClassicsCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  AddTagsCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
  DeregisterTargetsCommand,
  DescribeTagsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../../src/aws/clients.ts";
import { createAutoScalingClient } from "../../../src/aws/event-clients.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";

const KEY = { accessKeyId: "narrow", secretAccessKey: "x" };

/** A region with a node everywhere, and clients whose policy has these statements. */
function under(...statements: readonly object[]) {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], tags: { team: "shop" } });
  region.classic({ name: "legacy", nodes: [node], tags: { team: "shop" } });
  const Statement = statements.map((statement) => ({ Effect: "Allow", Resource: "*", ...statement }));
  const document = { Version: "2012-10-17", Statement };
  region.simulator.access.restrict({ accessKeyId: KEY.accessKeyId, user: "ops", document });
  const clients = createAwsClients({ region: "eu-west-1", ...region.aws(KEY) });
  return { region, node, group, ...clients };
}

const EC2_ONLY = { Action: "ec2:*" };
const ELB_ONLY = { Action: "elasticloadbalancing:*" };

describe("a refusal is AWS's", () => {
  test("EC2's", async () => {
    const { ec2 } = under(ELB_ONLY);
    await expect(ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({
      name: "UnauthorizedOperation",
      $metadata: { httpStatusCode: 403 },
      message:
        "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ops is not authorized to perform: ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action",
    });
  });

  test("Auto Scaling's, with the group of a write", async () => {
    const arn = (name: string) => `arn:aws:autoscaling:eu-west-1:*:autoScalingGroup:*:autoScalingGroupName/${name}`;
    const { region, node } = under({ Action: "autoscaling:*", Resource: arn("ours") });
    for (const [name, instanceIds] of [
      ["ours", [node.id]],
      ["theirs", [region.node().id]],
    ] as const)
      region.world.addAutoScalingGroup({ name, instanceIds });
    const scaling = createAutoScalingClient({ region: "eu-west-1", ...region.aws(KEY) });
    const complete = (AutoScalingGroupName: string) => {
      const input = {
        AutoScalingGroupName,
        LifecycleHookName: "h",
        InstanceId: node.id,
        LifecycleActionResult: "CONTINUE",
      };
      return scaling.send(new CompleteLifecycleActionCommand(input));
    };
    await expect(complete("ours")).rejects.toThrow("No active Lifecycle Action found");
    await expect(complete("theirs")).rejects.toThrow(/CompleteLifecycleAction on resource: arn:.*\/theirs because/);
    const terminate = new TerminateInstanceInAutoScalingGroupCommand({
      InstanceId: node.id,
      ShouldDecrementDesiredCapacity: false,
    });
    await expect(scaling.send(terminate)).resolves.toBeDefined();
  });

  test("both load balancing APIs', with the resource of a write and none of a read", async () => {
    const { group, node, v2, classic } = under(EC2_ONLY);
    const Targets = [{ Id: node.id }];
    await expect(v2.send(new DeregisterTargetsCommand({ TargetGroupArn: group.arn, Targets }))).rejects.toMatchObject({
      name: "AccessDenied",
      $metadata: { httpStatusCode: 403 },
      message: `User: arn:aws:iam::123456789012:user/ops is not authorized to perform: elasticloadbalancing:DeregisterTargets on resource: ${group.arn} because no identity-based policy allows the elasticloadbalancing:DeregisterTargets action`,
    });
    const input = { LoadBalancerName: "legacy", Instances: [{ InstanceId: node.id }] };
    await expect(classic.send(new DeregisterInstancesFromLoadBalancerCommand(input))).rejects.toThrow(
      "on resource: arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/legacy because",
    );
    await expect(classic.send(new DescribeClassicsCommand({}))).rejects.toThrow(
      "to perform: elasticloadbalancing:DescribeLoadBalancers because",
    );
  });

  test("for what a statement denies", async () => {
    const { v2, group } = under(ELB_ONLY, { Effect: "Deny", Action: "elasticloadbalancing:DescribeTags" });
    await expect(v2.send(new DescribeTagsCommand({ ResourceArns: [group.arn] }))).rejects.toThrow(
      /elasticloadbalancing:DescribeTags with an explicit deny in an identity-based policy$/,
    );
  });

  test("one that changes nothing", async () => {
    const { region, group, node, v2 } = under(EC2_ONLY);
    const Targets = [{ Id: node.id }];
    await v2.send(new DeregisterTargetsCommand({ TargetGroupArn: group.arn, Targets })).catch(() => {});
    expect(group.apiHealth(group.listed(region.clock.now())[0] as never, region.clock.now()).state).toBe("healthy");
  });
});

test("a tag that changes, changes what may be written", async () => {
  const { group, node, v2 } = under({ ...ELB_ONLY, Condition: { StringEquals: { "aws:ResourceTag/team": "shop" } } });
  const deregister = () =>
    v2.send(new DeregisterTargetsCommand({ TargetGroupArn: group.arn, Targets: [{ Id: node.id }] }));
  group.tags.set("team", "billing");
  await expect(deregister()).rejects.toThrow("is not authorized to perform");
  group.tags.set("team", "shop");
  await deregister();
});

test("each call is judged by the ARN of what it changes, also of what it is to create", async () => {
  const arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";
  const Resource = [`${arn}:targetgroup/a/*`, `${arn}:loadbalancer/net/a/*`, `${arn}:loadbalancer/app/web-lb/*`];
  const { region, v2, ec2, node } = under(
    { ...ELB_ONLY, Resource },
    { ...EC2_ONLY, Resource: "arn:aws:ec2:*:*:instance/i-0*" },
  );
  const group = (Name: string) =>
    v2.send(new CreateTargetGroupCommand({ Name, Protocol: "TCP", Port: 80, VpcId: VPC }));
  const loadBalancer = (Name: string, Type: "network" | "application") =>
    v2.send(new CreateLoadBalancerCommand({ Name, Type, Subnets: [`subnet-${VPC}-a`] }));
  await group("a");
  await expect(group("b")).rejects.toThrow("on resource: arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgr");
  await loadBalancer("a", "network");
  await expect(loadBalancer("a", "application")).rejects.toThrow("loadbalancer/app/a/*");
  const Tags = [{ Key: "k", Value: "v" }];
  const [own] = region.world.loadBalancers.keys();
  await v2.send(new AddTagsCommand({ ResourceArns: [own ?? ""], Tags }));
  const [foreign] = region.world.targetGroups.keys();
  await expect(v2.send(new AddTagsCommand({ ResourceArns: [own ?? "", foreign ?? ""], Tags }))).rejects.toThrow(
    `on resource: ${foreign}`,
  );
  await ec2.send(new StopInstancesCommand({ InstanceIds: [node.id] }));
});

test("whoever has no policy may do everything, over a socket as without one", async () => {
  const { region, group } = under(EC2_ONLY);
  const endpoint = await region.simulator.listen();
  onTestFinished(() => region.simulator.close());
  const v2 = (accessKeyId: string) =>
    createAwsClients({ region: "eu-west-1", endpoint, credentials: { accessKeyId, secretAccessKey: "x" } }).v2;
  const describeTags = new DescribeTagsCommand({ ResourceArns: [group.arn] });
  expect((await v2("other").send(describeTags)).TagDescriptions).toHaveLength(1);
  await expect(v2(KEY.accessKeyId).send(describeTags)).rejects.toThrow("not authorized");
});

test("what a policy was asked for is on record: what it allowed, by which statements, and what it denied", async () => {
  const { region, ec2, v2, group } = under(ELB_ONLY, EC2_ONLY, { Action: "s3:*" });
  await ec2.send(new DescribeInstancesCommand({}));
  const [Key, Value] = ["k", "v"];
  await v2.send(new AddTagsCommand({ ResourceArns: [group.arn], Tags: [{ Key, Value }] }));
  expect(region.simulator.access.recordOf("narrow")).toEqual({
    allowed: new Set(["ec2:DescribeInstances", "elasticloadbalancing:AddTags"]),
    denied: new Set(),
    statements: new Set([0, 1]),
  });
  expect(region.simulator.access.recordOf("other")).toBeUndefined();
});
