import {
  AddTagsCommand as AddClassicTagsCommand,
  ConfigureHealthCheckCommand,
  CreateLoadBalancerCommand as CreateClassicCommand,
  DeleteLoadBalancerCommand as DeleteClassicCommand,
  DescribeLoadBalancersCommand as DescribeClassicsCommand,
  DescribeTagsCommand as DescribeClassicTagsCommand,
  DescribeLoadBalancerAttributesCommand,
  ModifyLoadBalancerAttributesCommand,
  RegisterInstancesWithLoadBalancerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  CreateRuleCommand,
  DeleteLoadBalancerCommand,
  DeleteTargetGroupCommand,
  DescribeListenersCommand,
  DescribeLoadBalancersCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ModifyTargetGroupAttributesCommand,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { VPC } from "../support/simulated-region.ts";
import { builder } from "./builder.ts";

const DELAY = "deregistration_delay.timeout_seconds";
const TERMINATION = "deregistration_delay.connection_termination.enabled";
describe("a load balancer made through the API", () => {
  test("redirects as its rule says, and keeps each component that the rule does not name", async () => {
    const { v2, group, loadBalancer, listener } = builder();
    const ListenerArn = await listener(await loadBalancer("front"), await group("web"));
    const { Rules } = await v2.send(
      new CreateRuleCommand({
        ListenerArn,
        Priority: 1,
        Conditions: [{ Field: "path-pattern", Values: ["/old/*"] }],
        Actions: [{ Type: "redirect", RedirectConfig: { StatusCode: "HTTP_301", Protocol: "HTTPS", Port: "443" } }],
      }),
    );
    expect(Rules?.[0]?.Actions?.[0]?.RedirectConfig).toEqual({
      StatusCode: "HTTP_301",
      Protocol: "HTTPS",
      Port: "443",
      Host: "#{host}",
      Path: "/#{path}",
      Query: "#{query}",
    });
  });

  test("serves the groups of its listener and of its rules, and is described as it was made", async () => {
    const { v2, group, loadBalancer, listener } = builder();
    const [web, blue, green] = [await group("web"), await group("blue"), await group("green")];
    const arn = await loadBalancer("front", { Tags: [{ Key: "team", Value: "web" }] });
    const ListenerArn = await listener(arn, web);
    await v2.send(
      new CreateRuleCommand({
        ListenerArn,
        Priority: 10,
        Conditions: [
          { Field: "path-pattern", Values: ["/api/*"] },
          { Field: "host-header", HostHeaderConfig: { Values: ["*.example.com"] } },
        ],
        Actions: [
          {
            Type: "forward",
            ForwardConfig: {
              TargetGroups: [
                { TargetGroupArn: blue, Weight: 9 },
                { TargetGroupArn: green, Weight: 0 },
              ],
            },
          },
        ],
      }),
    );
    expect(await v2.send(new DescribeLoadBalancersCommand({ Names: ["front"] }))).toMatchObject({
      LoadBalancers: [{ LoadBalancerArn: arn, Type: "application", VpcId: VPC, State: { Code: "provisioning" } }],
    });
    expect(arn).toMatch(/^arn:aws:elasticloadbalancing:eu-west-1:\d{12}:loadbalancer\/app\/front\/[0-9a-f]{16}$/);
    expect(await v2.send(new DescribeTagsCommand({ ResourceArns: [arn] }))).toMatchObject({
      TagDescriptions: [{ Tags: [{ Key: "team", Value: "web" }] }],
    });
    expect(await v2.send(new DescribeListenersCommand({ LoadBalancerArn: arn }))).toMatchObject({
      Listeners: [
        { ListenerArn, Port: 80, Protocol: "HTTP", DefaultActions: [{ Type: "forward", TargetGroupArn: web }] },
      ],
    });
    const { Rules } = await v2.send(new DescribeRulesCommand({ ListenerArn }));
    expect(Rules).toMatchObject([
      {
        Priority: "10",
        Conditions: [
          { Field: "path-pattern", Values: ["/api/*"] },
          { Field: "host-header", Values: ["*.example.com"] },
        ],
        Actions: [
          {
            ForwardConfig: {
              TargetGroups: [
                { TargetGroupArn: blue, Weight: 9 },
                { TargetGroupArn: green, Weight: 0 },
              ],
            },
          },
        ],
      },
      { Priority: "default", Conditions: [], Actions: [{ TargetGroupArn: web }], IsDefault: true },
    ]);
    const RuleArns = Rules?.map(({ RuleArn = "" }) => RuleArn).reverse();
    expect((await v2.send(new DescribeRulesCommand({ RuleArns }))).Rules).toEqual(Rules?.toReversed());
    const { TargetGroups } = await v2.send(new DescribeTargetGroupsCommand({ LoadBalancerArn: arn }));
    expect(TargetGroups?.map(({ TargetGroupArn }) => TargetGroupArn)).toEqual([web, blue, green]);
  });

  test.each([
    { Type: "application" as const, part: "app" },
    { Type: "network" as const, part: "net" },
    { Type: "gateway" as const, part: "gwy" },
  ])("of type $Type has $part in its ARN", async ({ Type, part }) => {
    expect(await builder().loadBalancer("front", { Type })).toContain(`:loadbalancer/${part}/front/`);
  });

  test("deleted: its group is unused and can be deleted, which it could not before", async () => {
    const { v2, group, loadBalancer, listener } = builder();
    const [web, arn] = [await group("web"), await loadBalancer("front")];
    await listener(arn, web);
    await expect(v2.send(new DeleteTargetGroupCommand({ TargetGroupArn: web }))).rejects.toMatchObject({
      name: "ResourceInUseException",
    });
    await v2.send(new DeleteLoadBalancerCommand({ LoadBalancerArn: arn }));
    await v2.send(new DeleteLoadBalancerCommand({ LoadBalancerArn: arn }));
    await v2.send(new DeleteTargetGroupCommand({ TargetGroupArn: web }));
    expect((await v2.send(new DescribeTargetGroupsCommand({}))).TargetGroups).toEqual([]);
    expect((await v2.send(new DescribeLoadBalancersCommand({}))).LoadBalancers).toEqual([]);
  });
});

describe("a target group made through the API", () => {
  test("has AWS's defaults until they are modified", async () => {
    const { v2, group } = builder();
    const TargetGroupArn = await group("web", { Protocol: "TCP" });
    const attributes = async () => {
      const { Attributes = [] } = await v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn }));
      return Object.fromEntries(Attributes.map(({ Key, Value }) => [Key, Value]));
    };
    expect(await attributes()).toMatchObject({ [DELAY]: "300", [TERMINATION]: "false", "stickiness.enabled": "false" });
    const Attributes = [
      { Key: DELAY, Value: "0" },
      { Key: TERMINATION, Value: "true" },
    ];
    await v2.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn, Attributes }));
    expect(await attributes()).toMatchObject({ [DELAY]: "0", [TERMINATION]: "true" });
  });

  test.each([
    { Protocol: "HTTP" as const, termination: undefined },
    { Protocol: "GENEVE" as const, termination: undefined },
    { Protocol: "TLS" as const, termination: "false" },
    { Protocol: "UDP" as const, termination: "true" },
    { Protocol: "TCP_UDP" as const, termination: "true" },
  ])("for $Protocol has the connection termination $termination", async ({ Protocol, termination }) => {
    const { v2, group } = builder();
    const Port = Protocol === "GENEVE" ? 6_081 : 80;
    const command = new DescribeTargetGroupAttributesCommand({
      TargetGroupArn: await group("web", { Protocol, Port }),
    });
    const { Attributes = [] } = await v2.send(command);
    expect(Attributes.find(({ Key }) => Key === TERMINATION)?.Value).toBe(termination);
  });

  test.each([
    {
      what: "an unknown attribute",
      bad: { Key: "constructor", Value: "x" },
      name: "InvalidConfigurationRequestException",
    },
    { what: "a delay above an hour", bad: { Key: DELAY, Value: "3601" }, name: "ValidationError" },
    { what: "a delay below 0", bad: { Key: DELAY, Value: "-1" }, name: "ValidationError" },
  ])("keeps all its attributes when one of the new ones is $what", async ({ bad, name }) => {
    const { v2, group } = builder();
    const TargetGroupArn = await group("web");
    const Attributes = [{ Key: DELAY, Value: "5" }, bad];
    await expect(v2.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn, Attributes }))).rejects.toMatchObject(
      { name },
    );
    expect(await v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn }))).toMatchObject({
      Attributes: expect.arrayContaining([{ Key: DELAY, Value: "300" }]),
    });
  });

  test("checks its targets as it was told to", async () => {
    const { region, v2, group, loadBalancer, listener } = builder();
    const health = { HealthCheckIntervalSeconds: 5, HealthyThresholdCount: 2, UnhealthyThresholdCount: 4 };
    const TargetGroupArn = await group("web", health);
    await listener(await loadBalancer("front"), TargetGroupArn);
    await region.clock.advance(region.world.timing.provisioningMs);
    const node = region.node();
    await v2.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: node.id }] }));
    const state = async () =>
      (await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn }))).TargetHealthDescriptions?.[0]?.TargetHealth
        ?.State;
    await region.clock.advance(10_000);
    expect(await state()).toBe("healthy");
    region.world.setAnswering(node, false);
    await region.clock.advance(20_000);
    expect(await state()).toBe("unhealthy");
    region.world.setAnswering(node, true);
    await region.clock.advance(10_000);
    expect(await state()).toBe("healthy");
    expect(await v2.send(new DescribeTargetGroupsCommand({}))).toMatchObject({ TargetGroups: [health] });
  });
});

describe("a classic load balancer made through the API", () => {
  const LoadBalancerName = "old";
  const Listeners = [{ Protocol: "TCP", LoadBalancerPort: 443, InstanceProtocol: "TCP", InstancePort: 30443 }];
  const Subnets = [`subnet-${VPC}-a`];

  test("is described as it was made", async () => {
    const { region, classic } = builder();
    const node = region.node();
    const Tags = [{ Key: "team", Value: "web" }];
    await classic.send(new CreateClassicCommand({ LoadBalancerName, Listeners, Subnets, Tags }));
    const HealthCheck = { Target: "HTTP:30443/", Interval: 5, Timeout: 4, UnhealthyThreshold: 3, HealthyThreshold: 2 };
    await classic.send(new ConfigureHealthCheckCommand({ LoadBalancerName, HealthCheck }));
    const Instances = [{ InstanceId: node.id }];
    expect(
      await classic.send(new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName, Instances })),
    ).toMatchObject({ Instances });
    const draining = { ConnectionDraining: { Enabled: true, Timeout: 60 } };
    await classic.send(new ModifyLoadBalancerAttributesCommand({ LoadBalancerName, LoadBalancerAttributes: draining }));
    await classic.send(
      new AddClassicTagsCommand({ LoadBalancerNames: [LoadBalancerName], Tags: [{ Key: "stage", Value: "live" }] }),
    );
    expect(await classic.send(new DescribeClassicsCommand({ LoadBalancerNames: [LoadBalancerName] }))).toMatchObject({
      LoadBalancerDescriptions: [
        { LoadBalancerName, VPCId: VPC, ListenerDescriptions: [{ Listener: Listeners[0] }], HealthCheck, Instances },
      ],
    });
    expect(await classic.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerName }))).toMatchObject({
      LoadBalancerAttributes: draining,
    });
    expect(await classic.send(new DescribeClassicTagsCommand({ LoadBalancerNames: [LoadBalancerName] }))).toMatchObject(
      {
        TagDescriptions: [{ LoadBalancerName, Tags: [...Tags, { Key: "stage", Value: "live" }] }],
      },
    );
  });

  test("is gone when it has been deleted, and deleting it again is no error", async () => {
    const { classic } = builder();
    await classic.send(new CreateClassicCommand({ LoadBalancerName, Listeners, Subnets }));
    await classic.send(new DeleteClassicCommand({ LoadBalancerName }));
    await classic.send(new DeleteClassicCommand({ LoadBalancerName }));
    expect((await classic.send(new DescribeClassicsCommand({}))).LoadBalancerDescriptions).toEqual([]);
  });
});
