import { TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeTagsCommand as DescribeClassicTagsCommand,
  DescribeInstanceHealthCommand,
  RegisterInstancesWithLoadBalancerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  DeregisterTargetsCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ModifyTargetGroupAttributesCommand,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, test } from "vitest";
import { putEvents } from "./support/event-bus.ts";
import { Moto } from "./support/moto.ts";
import { describeWith } from "./support/programs.ts";
import { awsCli, deploy } from "./support/stacks.ts";

const V2 = "2015-12-01";
const CLASSIC = "2012-06-01";
const SCALING = "2011-01-01";

async function scene() {
  const moto = await Moto.start();
  const node = await moto.node();
  const group = await moto.group("web", node.vpcId);
  await moto.loadBalancer("web-lb", "application", group);
  const { v2 } = moto.clients;
  const target = (Port?: number) => ({ TargetGroupArn: group, Targets: [{ Id: node.id, Port }] });
  const healthOf = async (Port?: number) => {
    const { TargetHealthDescriptions } = await v2.send(new DescribeTargetHealthCommand(target(Port)));
    return TargetHealthDescriptions?.map(({ Target, TargetHealth }) => [Target?.Port, TargetHealth?.State]);
  };
  return { moto, node, group, target, healthOf };
}

/** What moto answers without the SDK, which takes a server's breakdown for something to repeat. */
async function statusOf({ url }: Moto, Version: string, params: Readonly<Record<string, string>>): Promise<number> {
  const service = Version === SCALING ? "autoscaling" : "elasticloadbalancing";
  const Authorization = `AWS4-HMAC-SHA256 Credential=moto/20260101/eu-west-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;
  const body = new URLSearchParams({ Version, ...params });
  const response = await fetch(url, { method: "POST", headers: { Authorization }, body });
  await response.arrayBuffer();
  return response.status;
}

/** Each of these is a place where moto can't vouch for anything. A test that fails here means that it may now. */
describeWith("moto_server", "moto, where it is known to differ from AWS", () => {
  test("breaks down at what AWS refuses: an unknown classic load balancer, a marker of nobody's", async () => {
    const { moto, node } = await scene();
    const deregister = { Action: "DeregisterInstancesFromLoadBalancer", LoadBalancerName: "none" };
    expect(await statusOf(moto, CLASSIC, { ...deregister, "Instances.member.1.InstanceId": node.id })).toBe(500);
    expect(await statusOf(moto, V2, { Action: "DescribeLoadBalancers", Marker: "nobody's" })).toBe(500);
  });

  test("has no lifecycle actions to complete or to keep alive", async () => {
    const { moto } = await scene();
    const about = {
      AutoScalingGroupName: "a",
      LifecycleHookName: "h",
      InstanceId: "i-1",
      LifecycleActionResult: "CONTINUE",
    };
    for (const Action of ["CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"]) {
      expect([Action, await statusOf(moto, SCALING, { Action, ...about })]).toEqual([Action, 500]);
    }
  });

  test("deregisters a target from all its ports, whichever port is named", async () => {
    const { moto, target, healthOf } = await scene();
    const { v2 } = moto.clients;
    await v2.send(new RegisterTargetsCommand(target(30080)));
    await v2.send(new DeregisterTargetsCommand(target(31_999)));
    expect(await healthOf(30080)).toEqual([[30080, "unused"]]);
  });

  test("answers for the registered port, whichever port is asked about", async () => {
    const { moto, target, healthOf } = await scene();
    await moto.clients.v2.send(new RegisterTargetsCommand(target(30080)));
    expect(await healthOf(31_999)).toEqual([[30080, "healthy"]]);
  });

  test("refuses to deregister what isn't registered, and has removed by then what stood before it", async () => {
    const { moto, node, group, healthOf, target } = await scene();
    const { v2 } = moto.clients;
    const other = await moto.node();
    await v2.send(new RegisterTargetsCommand(target(30080)));
    const Targets = [{ Id: node.id }, { Id: other.id }];
    await expect(v2.send(new DeregisterTargetsCommand({ TargetGroupArn: group, Targets }))).rejects.toMatchObject({
      name: "InvalidTargetException",
    });
    expect(await healthOf(30080)).toEqual([[30080, "unused"]]);
  });

  test("doesn't heed the deregistration delay, and refuses the longest one that AWS allows", async () => {
    const { moto, group, target, healthOf } = await scene();
    const { v2 } = moto.clients;
    const delay = (Value: string) => {
      const Attributes = [{ Key: "deregistration_delay.timeout_seconds", Value }];
      return v2.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn: group, Attributes }));
    };
    await expect(delay("3600")).rejects.toThrow("must be between '0-3600' inclusive");
    await delay("3599");
    await v2.send(new RegisterTargetsCommand(target(30080)));
    await v2.send(new DeregisterTargetsCommand(target(30080)));
    expect(await healthOf(30080)).toEqual([[30080, "unused"]]);
  });

  test("says `draining` of a terminated target to who asks by name, and lists it no more", async () => {
    const { moto, node, group, target, healthOf } = await scene();
    const { v2, ec2 } = moto.clients;
    await v2.send(new RegisterTargetsCommand(target(30080)));
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [node.id] }));
    const listed = await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: group }));
    expect(listed.TargetHealthDescriptions).toEqual([]);
    expect(await healthOf(30080)).toEqual([[30080, "draining"]]);
  });

  test("registers instances that are none", async () => {
    const { moto, group } = await scene();
    const { v2, classic } = moto.clients;
    const Targets = [{ Id: "i-0dddddddddddddddd" }, { Id: "banana" }];
    await v2.send(new RegisterTargetsCommand({ TargetGroupArn: group, Targets }));
    const LoadBalancerName = await moto.classic("old");
    const Instances = [{ InstanceId: "i-0dddddddddddddddd" }];
    await classic.send(new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName, Instances }));
  });

  test("pages load balancers by 50, takes a page of 401, and doesn't page target groups", async () => {
    const { moto, node, group } = await scene();
    const { v2 } = moto.clients;
    for (let number = 2; number <= 51; number++) {
      await moto.loadBalancer(`lb-${number}`, "application", group);
      await moto.group(`group-${number}`, node.vpcId);
    }
    const first = await v2.send(new DescribeLoadBalancersCommand({}));
    expect([first.LoadBalancers?.length, typeof first.NextMarker]).toEqual([50, "string"]);
    expect((await v2.send(new DescribeLoadBalancersCommand({ PageSize: 401 }))).LoadBalancers).toHaveLength(51);
    const { TargetGroups, NextMarker } = await v2.send(new DescribeTargetGroupsCommand({ PageSize: 10 }));
    expect([TargetGroups?.length, NextMarker]).toEqual([51, undefined]);
  });

  test("counts reservations, not instances, towards the results of DescribeInstances", async () => {
    const { moto } = await scene();
    const sizes = [1, 9, 9, 9, 9, 9];
    for (const size of sizes) await moto.instances(size);
    const { instances, hasMore } = await moto.instancesOfPage(5);
    expect([instances, hasMore]).toEqual([1 + 1 + 9 + 9 + 9, true]);
  });

  test("accepts tags of 25 classic load balancers in a call", async () => {
    const { moto } = await scene();
    const LoadBalancerNames = Array.from({ length: 25 }, (_, number) => `old-${number}`);
    for (const name of LoadBalancerNames) await moto.classic(name);
    const { TagDescriptions } = await moto.clients.classic.send(new DescribeClassicTagsCommand({ LoadBalancerNames }));
    expect(TagDescriptions).toHaveLength(25);
  });

  test("lists no instances after a change of a classic load balancer, and says `Unknown` of a stranger", async () => {
    const { moto, node } = await scene();
    const { classic } = moto.clients;
    const LoadBalancerName = await moto.classic("old");
    const input = { LoadBalancerName, Instances: [{ InstanceId: node.id }] };
    expect((await classic.send(new RegisterInstancesWithLoadBalancerCommand(input))).Instances).toEqual([]);
    expect((await classic.send(new DeregisterInstancesFromLoadBalancerCommand(input))).Instances).toEqual([]);
    // Never registered: success, where AWS may refuse.
    await classic.send(new DeregisterInstancesFromLoadBalancerCommand(input));
    const Instances = [{ InstanceId: "i-0dddddddddddddddd" }];
    const { InstanceStates } = await classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName, Instances }));
    expect(InstanceStates).toMatchObject([{ State: "Unknown" }]);
  });

  test("makes a stack without the policies of its queues and without its hook, and tells none of its outputs", async () => {
    const moto = await Moto.start();
    const made = await deploy(moto, "departures");
    expect(Object.keys(made)).not.toContain("QueuePolicy");
    expect(Object.keys(await deploy(moto, "lifecycle-hook", { AutoScalingGroupName: "none" }))).not.toContain("Hook");
    const described = await awsCli(moto, ["cloudformation", "describe-stacks", "--stack-name", "departures"]);
    expect((described as { readonly Stacks: readonly object[] }).Stacks[0]).not.toHaveProperty("Outputs");
    const about = ["--queue-url", made["Queue"] ?? "", "--attribute-names", "All"];
    expect(await awsCli(moto, ["sqs", "get-queue-attributes", ...about])).not.toHaveProperty("Attributes.Policy");
  });

  test("takes events in the name of AWS's services, and brings them to a queue whose policy lets nobody send", async () => {
    const moto = await Moto.start();
    const { Queue = "" } = await deploy(moto, "departures");
    const spot = { source: "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning" };
    await putEvents(moto, [{ ...spot, time: "2022-08-11T14:00:00Z", resources: [], detail: {} }]);
    const { Messages } = (await awsCli(moto, ["sqs", "receive-message", "--queue-url", Queue])) as {
      readonly Messages: readonly { readonly Body: string }[];
    };
    expect(JSON.parse(Messages[0]?.Body ?? "")).toMatchObject(spot);
  });
});
