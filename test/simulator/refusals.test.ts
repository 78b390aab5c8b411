import {
  CreateLoadBalancerCommand as CreateClassicCommand,
  ModifyLoadBalancerAttributesCommand,
  RegisterInstancesWithLoadBalancerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  AddTagsCommand,
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  type CreateLoadBalancerCommandInput,
  CreateRuleCommand,
  type CreateRuleCommandInput,
  CreateTargetGroupCommand,
  DescribeTagsCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { VPC } from "../support/simulated-region.ts";
import { builder, forward } from "./builder.ts";
import { oneAttempt } from "./one-attempt.ts";

const ELB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";

const STRANGERS = ["i-0123456789abcdef0", "i-0123456789abcdef1"];

describe("RegisterTargets", () => {
  const targets = (...ids: string[]) => ids.map((Id) => ({ Id }));

  test("names every instance that does not exist, and registers none", async () => {
    const { region, v2, group } = builder();
    const TargetGroupArn = await group("web");
    const Targets = targets(region.node().id, ...STRANGERS);
    await expect(v2.send(new RegisterTargetsCommand({ TargetGroupArn, Targets }))).rejects.toMatchObject({
      name: "InvalidTargetException",
      Code: "InvalidTarget",
      message: "The following instances do not exist: 'i-0123456789abcdef0', 'i-0123456789abcdef1'",
    });
    expect(await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn }))).toMatchObject({
      TargetHealthDescriptions: [],
    });
  });

  test.each([0, 60_000])("names every instance that was terminated %d ms ago", async (ms) => {
    const { region, v2, group } = builder();
    const [first, second, running] = [region.node(), region.node(), region.node()];
    for (const node of [first, second]) region.world.terminateInstance(node);
    await region.clock.advance(ms);
    const Targets = targets(first.id, running.id, second.id);
    await expect(
      v2.send(new RegisterTargetsCommand({ TargetGroupArn: await group("web"), Targets })),
    ).rejects.toMatchObject({
      name: "InvalidTargetException",
      message: `The following targets are not in a running state and cannot be registered: '${first.id}', '${second.id}'`,
    });
  });

  test.each([
    { TargetType: "instance" as const, id: "node-1", message: "Instance ID 'node-1' is not valid" },
    { TargetType: "ip" as const, id: "10.0.0", message: "The IP address '10.0.0' is not a valid IPv4 address" },
  ])("of the target $id in a group of type $TargetType is refused", async ({ TargetType, id, message }) => {
    const { v2, group } = builder();
    const TargetGroupArn = await group("web", { TargetType });
    await expect(v2.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: targets(id) }))).rejects.toMatchObject({
      name: "ValidationError",
      message,
    });
  });
});

describe("a name can be given again with the same settings alone", () => {
  test("to a target group", async () => {
    const { group } = builder();
    const arn = await group("web");
    expect(await group("web")).toBe(arn);
    await expect(group("web", { Port: 81 })).rejects.toMatchObject({ name: "DuplicateTargetGroupNameException" });
  });

  test("to a load balancer, and to a classic one besides", async () => {
    const { classic, loadBalancer } = builder();
    const create = (InstancePort: number) => {
      const Listeners = [{ Protocol: "TCP", LoadBalancerPort: 80, InstancePort }];
      const input = { LoadBalancerName: "web", Listeners, Subnets: [`subnet-${VPC}-a`] };
      return classic.send(new CreateClassicCommand(input));
    };
    const arn = await loadBalancer("web");
    expect(await loadBalancer("web")).toBe(arn);
    const other = loadBalancer("web", { Type: "network" });
    await expect(other).rejects.toMatchObject({ name: "DuplicateLoadBalancerNameException" });
    const { DNSName } = await create(80);
    expect(await create(80)).toMatchObject({ DNSName });
    await expect(create(81)).rejects.toMatchObject({ name: "DuplicateAccessPointNameException" });
  });
});

test.each([
  { what: "type of load balancer", parameter: "type", create: { Type: "classic" } },
  { what: "type of target", parameter: "targetType", create: { TargetType: "node" } },
])("an unknown $what is refused, with the known ones", async ({ parameter, create }) => {
  const { loadBalancer, group } = builder();
  // The SDK's types know the values that AWS takes.
  const made = "Type" in create ? loadBalancer("web", create as never) : group("web", create as never);
  await expect(made).rejects.toMatchObject({
    name: "ValidationError",
    message: expect.stringMatching(
      new RegExp(`at '${parameter}' failed to satisfy constraint: Member must satisfy enum value set: \\[.*, .*\\]`),
    ),
  });
});

test.each([
  { Port: 0 },
  { Port: 65_536 },
  { HealthCheckIntervalSeconds: 4 },
  { HealthCheckIntervalSeconds: 301 },
  { HealthyThresholdCount: 1 },
  { UnhealthyThresholdCount: 11 },
])("a target group with %o is refused", async (input) => {
  const [value] = Object.values(input);
  await expect(builder().group("web", input)).rejects.toMatchObject({
    name: "ValidationError",
    message: expect.stringContaining(`Value '${value}' at`),
  });
});

test("a subnet that names no VPC does not exist", async () => {
  const { v2 } = builder();
  await expect(v2.send(new CreateLoadBalancerCommand({ Name: "web", Subnets: ["subnet-1"] }))).rejects.toMatchObject({
    name: "SubnetNotFoundException",
    message: "The subnet ID 'subnet-1' does not exist",
  });
});

describe("a target group", () => {
  test("serves one load balancer, on as many of its listeners and rules as it likes", async () => {
    const { v2, group, loadBalancer, listener } = builder();
    const [web, other] = [await group("web"), await group("other")];
    const [first, second] = [await loadBalancer("first"), await loadBalancer("second")];
    await listener(first, web, 80);
    await listener(first, web, 443);
    const ListenerArn = await listener(second, other);
    const shared = {
      name: "TargetGroupAssociationLimitException",
      message: `The following target groups cannot be associated with more than one load balancer: ${web}`,
    };
    await expect(listener(second, web, 443)).rejects.toMatchObject(shared);
    const Conditions = [{ Field: "path-pattern", Values: ["/"] }];
    const rule = new CreateRuleCommand({ ListenerArn, Priority: 1, Conditions, Actions: [forward(web)] });
    await expect(v2.send(rule)).rejects.toMatchObject(shared);
  });

  test("that does not exist serves nobody", async () => {
    const { loadBalancer, listener } = builder();
    await expect(
      listener(await loadBalancer("front"), `${ELB}:targetgroup/gone/0123456789abcdef`),
    ).rejects.toMatchObject({
      name: "TargetGroupNotFoundException",
    });
  });
});

describe("a rule is refused", () => {
  async function rule(change: (good: CreateRuleCommandInput) => object) {
    const { v2, group, loadBalancer, listener } = builder();
    const web = await group("web");
    const ListenerArn = await listener(await loadBalancer("front"), web);
    const Conditions = [{ Field: "path-pattern", Values: ["/a"] }];
    const good = { ListenerArn, Priority: 1, Conditions, Actions: [forward(web)] };
    await v2.send(new CreateRuleCommand(good));
    return v2.send(new CreateRuleCommand({ ...good, Priority: 2, ...change(good) }));
  }

  test.each<{ what: string; change: Parameters<typeof rule>[0]; name: string; message: string }>([
    {
      what: "with a priority that is taken",
      change: () => ({ Priority: 1 }),
      name: "PriorityInUseException",
      message: "Priority '1' is currently in use",
    },
    { what: "with the priority 0", change: () => ({ Priority: 0 }), name: "ValidationError", message: "'priority'" },
    {
      what: "without conditions",
      change: () => ({ Conditions: [] }),
      name: "ValidationError",
      message: "'conditions'",
    },
    { what: "without actions", change: () => ({ Actions: [] }), name: "ValidationError", message: "'actions'" },
    {
      what: "with a condition on nothing",
      change: () => ({ Conditions: [{ Field: "path-pattern" }] }),
      name: "ValidationError",
      message: "at least one value",
    },
    {
      what: "with a condition on an unknown field",
      change: () => ({ Conditions: [{ Field: "cookie", Values: ["a"] }] }),
      name: "ValidationError",
      message: "enum value set: [path-pattern, host-header, http-header, http-request-method, query-string, source-ip]",
    },
    {
      what: "with an unknown action",
      change: () => ({ Actions: [{ Type: "dance" }] }),
      name: "ValidationError",
      message: "enum value set: [forward, fixed-response, redirect, authenticate-oidc",
    },
    {
      what: "that redirects to where the request came from",
      change: () => ({
        Actions: [{ Type: "redirect", RedirectConfig: { StatusCode: "HTTP_302", Query: "a=b" } }],
      }),
      name: "InvalidLoadBalancerActionException",
      message: "it creates a loop",
    },
    {
      what: "that redirects by another protocol than HTTP",
      change: () => ({
        Actions: [{ Type: "redirect", RedirectConfig: { StatusCode: "HTTP_302", Protocol: "FTP" } }],
      }),
      name: "ValidationError",
      message: "enum value set: [HTTP, HTTPS, #{protocol}]",
    },
    {
      what: "that forwards to nobody",
      change: () => ({ Actions: [{ Type: "forward" }] }),
      name: "ValidationError",
      message: "'targetGroupArn'",
    },
    {
      what: "with a weight of 1000",
      change: ({ Actions }) => ({
        Actions: [
          {
            Type: "forward",
            ForwardConfig: { TargetGroups: [{ TargetGroupArn: Actions?.[0]?.TargetGroupArn, Weight: 1_000 }] },
          },
        ],
      }),
      name: "ValidationError",
      message: "less than or equal to 999",
    },
    {
      what: "of a listener that does not exist",
      change: () => ({ ListenerArn: `${ELB}:listener/app/gone/0123456789abcdef/0123456789abcdef` }),
      name: "ListenerNotFoundException",
      message: "One or more listeners not found",
    },
  ])("$what", async ({ change, name, message }) => {
    await expect(rule(change)).rejects.toMatchObject({ name, message: expect.stringContaining(message) });
  });
});

test("a load balancer has one listener on each port", async () => {
  const { group, loadBalancer, listener } = builder();
  const [web, arn] = [await group("web"), await loadBalancer("front")];
  const created = await listener(arn, web);
  expect(await listener(arn, web)).toBe(created);
  await expect(listener(arn, await group("other"))).rejects.toMatchObject({
    name: "DuplicateListenerException",
    message: `A listener already exists on this port for this load balancer '${arn}'`,
  });
});

test("a listener without a port is refused, and one that answers by itself needs no group", async () => {
  const { v2, loadBalancer } = builder();
  const LoadBalancerArn = await loadBalancer("front");
  const FixedResponseConfig = { StatusCode: "503", MessageBody: "closed" };
  const DefaultActions = [{ Type: "fixed-response" as const, FixedResponseConfig }];
  const input = { LoadBalancerArn, Protocol: "HTTP" as const, DefaultActions };
  await expect(v2.send(new CreateListenerCommand(input))).rejects.toMatchObject({ name: "ValidationError" });
  const configOf = async (config: { StatusCode: string; MessageBody?: string; ContentType?: string }, Port: number) => {
    const actions = [{ Type: "fixed-response" as const, FixedResponseConfig: config }];
    const { Listeners } = await v2.send(new CreateListenerCommand({ ...input, DefaultActions: actions, Port }));
    return Listeners?.[0]?.DefaultActions?.[0]?.FixedResponseConfig;
  };
  // As it was given: what is absent stays absent.
  expect(await configOf(FixedResponseConfig, 80)).toEqual(FixedResponseConfig);
  const html = { StatusCode: "404", ContentType: "text/html" };
  expect(await configOf(html, 81)).toEqual(html);
  await expect(configOf({ ...html, ContentType: "text/xml" }, 82)).rejects.toMatchObject({ name: "ValidationError" });
});

test("tags are added to all resources or to none", async () => {
  const { v2, group } = builder();
  const arn = await group("web");
  const gone = `${ELB}:targetgroup/gone/0123456789abcdef`;
  const Tags = [{ Key: "team", Value: "web" }];
  await expect(v2.send(new AddTagsCommand({ ResourceArns: [arn, gone], Tags }))).rejects.toMatchObject({
    Code: "TargetGroupNotFound",
  });
  expect(await v2.send(new DescribeTagsCommand({ ResourceArns: [arn] }))).toMatchObject({
    TagDescriptions: [{ Tags: [] }],
  });
});

describe("a classic load balancer refuses", () => {
  test("instances that do not exist, and registers none", async () => {
    const { region, classic } = builder();
    const loadBalancer = region.classic({ name: "old" });
    const Instances = [region.node().id, ...STRANGERS].map((InstanceId) => ({ InstanceId }));
    const command = new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName: "old", Instances });
    await expect(classic.send(command)).rejects.toMatchObject({
      name: "InvalidEndPointException",
      Code: "InvalidInstance",
      message: "Could not find EC2 instance i-0123456789abcdef0.",
    });
    expect(loadBalancer.registered(region.clock.now())).toEqual([]);
  });

  test.each([0, 3_601])("a draining timeout of %d s", async (Timeout) => {
    const { region, classic } = builder();
    region.classic({ name: "old" });
    const LoadBalancerAttributes = { ConnectionDraining: { Enabled: true, Timeout } };
    await expect(
      classic.send(new ModifyLoadBalancerAttributesCommand({ LoadBalancerName: "old", LoadBalancerAttributes })),
    ).rejects.toMatchObject({ Code: "InvalidConfigurationRequest" });
  });
});

test.each<[string, Partial<CreateLoadBalancerCommandInput>]>([
  ["a pool of addresses", { IpamPools: { Ipv4IpamPoolId: "ipam-pool-1" } }],
  ["prefixes for UDP from IPv6", { Type: "network", EnablePrefixForIpv6SourceNat: "on" }],
])("a load balancer with %s is refused as not simulated", async (_, input) => {
  const { region } = builder();
  const Subnets = ["a", "b"].map((zone) => `subnet-${VPC}-${zone}`);
  const create = oneAttempt(region).v2.send(new CreateLoadBalancerCommand({ Name: "web", Subnets, ...input }));
  await expect(create).rejects.toMatchObject({ name: "NotSimulated" });
});

test("a target group with a port for the control of targets is refused as not simulated", async () => {
  const { region } = builder();
  const input = { Name: "web", Protocol: "HTTP" as const, Port: 80, VpcId: VPC, TargetControlPort: 3_000 };
  const create = oneAttempt(region).v2.send(new CreateTargetGroupCommand(input));
  await expect(create).rejects.toMatchObject({ name: "NotSimulated" });
});
