import {
  AttachLoadBalancerToSubnetsCommand,
  CreateLoadBalancerListenersCommand,
  DeleteLoadBalancerListenersCommand,
  DescribeLoadBalancersCommand as DescribeClassicsCommand,
  DescribeInstanceHealthCommand,
  DetachLoadBalancerFromSubnetsCommand,
  ModifyLoadBalancerAttributesCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  CreateRuleCommand,
  DeleteListenerCommand,
  DescribeLoadBalancersCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ModifyListenerCommand,
  ModifyTargetGroupAttributesCommand,
  ModifyTargetGroupCommand,
  RemoveTagsCommand,
  SetRulePrioritiesCommand,
  SetSecurityGroupsCommand,
  SetSubnetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { builder, forward } from "./builder.ts";

const subnet = (letter: string) => `subnet-${VPC}-eu-west-1${letter}`;

/** An NLB in three zones with a node in each, all healthy. */
function inThreeZones() {
  const region = new SimulatedRegion();
  const nodes = ["a", "b", "c"].map((letter) => region.node({ zone: `eu-west-1${letter}` }));
  const group = region.group({ name: "web", type: "network", nodes });
  const { v2 } = region.clients();
  const LoadBalancerArn = region.world.loadBalancerOf(group.arn)?.arn ?? "";
  const states = async () => {
    const answer = await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: group.arn }));
    return answer.TargetHealthDescriptions?.map(({ TargetHealth }) => TargetHealth?.State);
  };
  return { region, group, v2, LoadBalancerArn, states };
}

describe("SetSubnets", () => {
  test("changes the zones of a load balancer: targets in others are unused, and get no traffic", async () => {
    const { region, group, v2, LoadBalancerArn, states } = inThreeZones();
    expect(await states()).toEqual(["healthy", "healthy", "healthy"]);
    await v2.send(new SetSubnetsCommand({ LoadBalancerArn, Subnets: [subnet("a"), subnet("c")] }));
    expect(await states()).toEqual(["healthy", "unused", "healthy"]);
    expect(group.routable(region.clock.now(), 0, 1)).toHaveLength(2);
    await v2.send(new SetSubnetsCommand({ LoadBalancerArn, Subnets: ["a", "b", "c"].map(subnet) }));
    expect(await states()).toEqual(["healthy", "healthy", "healthy"]);
  });

  test("shows the addresses that its mappings give", async () => {
    const { v2, LoadBalancerArn } = inThreeZones();
    const SubnetMappings = [
      { SubnetId: subnet("a"), AllocationId: "eipalloc-1" },
      { SubnetId: subnet("b"), PrivateIPv4Address: "10.0.32.9", IPv6Address: "2001:db8::9" },
    ];
    await v2.send(new SetSubnetsCommand({ LoadBalancerArn, SubnetMappings }));
    const { LoadBalancers } = await v2.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [LoadBalancerArn] }));
    expect(LoadBalancers?.[0]?.AvailabilityZones).toEqual([
      { ZoneName: "eu-west-1a", SubnetId: subnet("a"), LoadBalancerAddresses: [{ AllocationId: "eipalloc-1" }] },
      {
        ZoneName: "eu-west-1b",
        SubnetId: subnet("b"),
        LoadBalancerAddresses: [{ PrivateIPv4Address: "10.0.32.9", IPv6Address: "2001:db8::9" }],
      },
    ]);
  });

  test.each([
    ["another VPC's", ["subnet-vpc-0fedcba9876543210-eu-west-1a"], "InvalidSubnet"],
    ["two of one zone", [subnet("a"), `subnet-${VPC}-a`], "InvalidConfigurationRequest"],
  ])("refuses subnets that are %s", async (_, Subnets, name) => {
    const { v2, LoadBalancerArn, states } = inThreeZones();
    await expect(v2.send(new SetSubnetsCommand({ LoadBalancerArn, Subnets }))).rejects.toMatchObject({
      name: `${name}Exception`,
    });
    expect(await states()).toEqual(["healthy", "healthy", "healthy"]);
  });
});

describe("SetSecurityGroups", () => {
  test("is for ALBs, and for NLBs that were created with security groups", async () => {
    const { region, v2, loadBalancer } = builder();
    region.node();
    const { id } = region.world.securityGroups.create({ name: "web", description: "web", vpcId: VPC });
    const alb = await loadBalancer("alb");
    const nlb = await loadBalancer("nlb", { Type: "network", SecurityGroups: [id] });
    const bare = await loadBalancer("bare", { Type: "network" });
    for (const LoadBalancerArn of [alb, nlb])
      await v2.send(new SetSecurityGroupsCommand({ LoadBalancerArn, SecurityGroups: [id] }));
    const refused = v2.send(new SetSecurityGroupsCommand({ LoadBalancerArn: bare, SecurityGroups: [id] }));
    await expect(refused).rejects.toMatchObject({ name: "InvalidConfigurationRequestException" });
    const { LoadBalancers = [] } = await v2.send(new DescribeLoadBalancersCommand({}));
    expect(LoadBalancers.map(({ SecurityGroups = [] }) => SecurityGroups)).toEqual([[id], [id], []]);
  });

  test("says whether the rules of an NLB are for traffic through PrivateLink: by default they are", async () => {
    const { region, v2, loadBalancer } = builder();
    region.node();
    const { id } = region.world.securityGroups.create({ name: "web", description: "web", vpcId: VPC });
    const LoadBalancerArn = await loadBalancer("nlb", { Type: "network", SecurityGroups: [id] });
    const about = { LoadBalancerArn, SecurityGroups: [id] };
    const key = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic";
    expect(await v2.send(new SetSecurityGroupsCommand(about))).toMatchObject({ [key]: "on" });
    await v2.send(new SetSecurityGroupsCommand({ ...about, [key]: "off" }));
    const { LoadBalancers } = await v2.send(new DescribeLoadBalancersCommand({}));
    expect(LoadBalancers).toMatchObject([{ [key]: "off" }]);
  });
});

describe("a listener", () => {
  test("that is modified forwards to another group, and lets go of the old one", async () => {
    const { region, v2, group, loadBalancer, listener } = builder();
    const [blue, green] = [await group("blue"), await group("green")];
    const arn = await loadBalancer("front");
    const ListenerArn = await listener(arn, blue);
    expect(region.world.usedBy(blue)).toBe("application");
    await v2.send(new ModifyListenerCommand({ ListenerArn, DefaultActions: [forward(green)] }));
    expect([region.world.usedBy(blue), region.world.usedBy(green)]).toEqual([undefined, "application"]);
    await v2.send(new DeleteListenerCommand({ ListenerArn }));
    expect(region.world.usedBy(green)).toBeUndefined();
  });

  test("has rules whose priorities can be exchanged, and tags that can be removed", async () => {
    const { v2, group, loadBalancer, listener } = builder();
    const web = await group("web");
    const ListenerArn = await listener(await loadBalancer("front"), web);
    const rule = async (Priority: number) => {
      const Conditions = [{ Field: "path-pattern", Values: [`/${Priority}`] }];
      const Tags = [{ Key: "k", Value: "v" }];
      const command = new CreateRuleCommand({ ListenerArn, Priority, Conditions, Actions: [forward(web)], Tags });
      return (await v2.send(command)).Rules?.[0]?.RuleArn ?? "";
    };
    const [first, second] = [await rule(1), await rule(2)];
    const RulePriorities = [
      { RuleArn: first, Priority: 2 },
      { RuleArn: second, Priority: 1 },
    ];
    await v2.send(new SetRulePrioritiesCommand({ RulePriorities }));
    const { Rules = [] } = await v2.send(new DescribeRulesCommand({ ListenerArn }));
    expect(Rules.map(({ RuleArn }) => RuleArn).slice(0, 2)).toEqual([second, first]);
    const tags = async () => {
      const answer = await v2.send(new DescribeTagsCommand({ ResourceArns: [first] }));
      return answer.TagDescriptions?.[0]?.Tags;
    };
    expect(await tags()).toEqual([{ Key: "k", Value: "v" }]);
    await v2.send(new RemoveTagsCommand({ ResourceArns: [first], TagKeys: ["k"] }));
    expect(await tags()).toEqual([]);
  });
});

describe("a target group", () => {
  test("keeps how it checks health, and can be told to check otherwise", async () => {
    const { v2, group } = builder();
    const TargetGroupArn = await group("web", {
      Protocol: "TCP",
      HealthCheckProtocol: "HTTP",
      HealthCheckPath: "/live",
    });
    const check = async () => {
      const answer = await v2.send(new DescribeTargetGroupsCommand({ TargetGroupArns: [TargetGroupArn] }));
      const { HealthCheckProtocol, HealthCheckPort, HealthCheckPath, Matcher } = answer.TargetGroups?.[0] ?? {};
      return { HealthCheckProtocol, HealthCheckPort, HealthCheckPath, codes: Matcher?.HttpCode };
    };
    expect(await check()).toEqual({
      HealthCheckProtocol: "HTTP",
      HealthCheckPort: "traffic-port",
      HealthCheckPath: "/live",
      codes: "200-399",
    });
    const healthz = { HealthCheckPort: "10256", HealthCheckPath: "/healthz", Matcher: { HttpCode: "200" } };
    await v2.send(new ModifyTargetGroupCommand({ TargetGroupArn, ...healthz }));
    expect(await check()).toMatchObject({ HealthCheckPort: "10256", HealthCheckPath: "/healthz", codes: "200" });
  });

  test("of TCP takes the proxy protocol's attribute, which one of HTTP does not have", async () => {
    const { v2, group } = builder();
    const Attributes = [{ Key: "proxy_protocol_v2.enabled", Value: "true" }];
    const tcp = await group("tcp", { Protocol: "TCP" });
    await v2.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn: tcp, Attributes }));
    const refused = v2.send(
      new ModifyTargetGroupAttributesCommand({ TargetGroupArn: await group("http"), Attributes }),
    );
    await expect(refused).rejects.toMatchObject({ name: "InvalidConfigurationRequestException" });
  });
});

describe("a classic load balancer", () => {
  function inTwoZones() {
    const region = new SimulatedRegion();
    const nodes = ["a", "b"].map((letter) => region.node({ zone: `eu-west-1${letter}` }));
    const loadBalancer = region.classic({ name: "old", nodes });
    const { classic } = region.clients();
    const states = async () => {
      const answer = await classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName: "old" }));
      return answer.InstanceStates?.map(({ State }) => State);
    };
    return { region, loadBalancer, classic, states };
  }

  test("that is detached from a subnet sends nothing to the instances of its zone, until it is attached again", async () => {
    const { classic, states } = inTwoZones();
    const of = { LoadBalancerName: "old", Subnets: [subnet("b")] };
    expect(await states()).toEqual(["InService", "InService"]);
    await classic.send(new DetachLoadBalancerFromSubnetsCommand(of));
    expect(await states()).toEqual(["InService", "OutOfService"]);
    await classic.send(new AttachLoadBalancerToSubnetsCommand(of));
    expect(await states()).toEqual(["InService", "InService"]);
  });

  test("without cross-zone load balancing sends what enters a zone to the instances of that zone", async () => {
    const { region, loadBalancer, classic } = inTwoZones();
    const now = () => region.clock.now();
    expect(loadBalancer.entryZones(now())).toBeUndefined();
    const LoadBalancerAttributes = { CrossZoneLoadBalancing: { Enabled: false } };
    await classic.send(new ModifyLoadBalancerAttributesCommand({ LoadBalancerName: "old", LoadBalancerAttributes }));
    await region.clock.advance(60_000);
    expect(loadBalancer.entryZones(now())).toEqual(["eu-west-1a", "eu-west-1b"]);
    const [first, second] = loadBalancer.registered(now());
    expect(loadBalancer.routable(now(), 0, 1, "eu-west-1a")).toEqual([first]);
    expect(loadBalancer.routable(now(), 0, 1, "eu-west-1b")).toEqual([second]);
    region.world.deregisterClassic(loadBalancer, second ?? "");
    await region.clock.advance(120_000);
    expect(loadBalancer.entryZones(now())).toEqual(["eu-west-1a"]);
  });

  test("gets and loses listeners", async () => {
    const { classic } = inTwoZones();
    const ports = async () => {
      const answer = await classic.send(new DescribeClassicsCommand({ LoadBalancerNames: ["old"] }));
      return answer.LoadBalancerDescriptions?.[0]?.ListenerDescriptions?.map(
        ({ Listener }) => Listener?.LoadBalancerPort,
      );
    };
    const Listeners = [{ Protocol: "TCP", LoadBalancerPort: 443, InstancePort: 30443 }];
    await classic.send(new CreateLoadBalancerListenersCommand({ LoadBalancerName: "old", Listeners }));
    expect(await ports()).toEqual([80, 443]);
    await classic.send(new DeleteLoadBalancerListenersCommand({ LoadBalancerName: "old", LoadBalancerPorts: [80] }));
    expect(await ports()).toEqual([443]);
  });
});

test.each([
  ["application", ["AnomalyDetection"], { Result: "normal", MitigationInEffect: "no" }],
  ["application", ["All"], { Result: "normal", MitigationInEffect: "no" }],
  ["application", [], undefined],
  ["network", ["AnomalyDetection"], undefined],
] as const)("the health of a target of an %s load balancer has anomalies with %o", async (type, include, expected) => {
  const region = new SimulatedRegion();
  const { arn: TargetGroupArn } = region.group({ name: "web", type, nodes: [region.node()] });
  const command = new DescribeTargetHealthCommand({ TargetGroupArn, Include: [...include] });
  const { TargetHealthDescriptions } = await region.clients().v2.send(command);
  expect(TargetHealthDescriptions?.map(({ AnomalyDetection }) => AnomalyDetection)).toEqual([expected]);
});
