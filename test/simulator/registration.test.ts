import {
  DescribeAccountLimitsCommand as ClassicLimitsCommand,
  RegisterInstancesWithLoadBalancerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  CreateListenerCommand,
  DescribeAccountLimitsCommand,
  DescribeTargetHealthCommand,
  ModifyListenerCommand,
  RegisterTargetsCommand,
  type TargetDescription,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { VPC } from "../support/simulated-region.ts";
import { builder, forward } from "./builder.ts";

const OTHER_VPC = "vpc-fedcba98765432100";
const refused = (message: string) => ({ name: "ValidationError", message });

function scene() {
  const made = builder();
  const { v2, region } = made;
  const register = (TargetGroupArn: string, ...Targets: TargetDescription[]) =>
    v2.send(new RegisterTargetsCommand({ TargetGroupArn, Targets }));
  const count = async (TargetGroupArn: string) =>
    (await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn }))).TargetHealthDescriptions?.length;
  return { ...made, node: region.node(), register, count };
}

// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
describe("RegisterTargets", () => {
  test("refuses an instance of another VPC, and registers none of the others", async () => {
    const { region, node, group, register, count } = scene();
    const web = await group("web");
    const stranger = region.node({ vpcId: OTHER_VPC });
    await expect(register(web, { Id: node.id }, { Id: stranger.id })).rejects.toMatchObject({
      Code: "InvalidTarget",
      message: `The following targets are not in the target group VPC '${VPC}': '${stranger.id}'`,
    });
    expect(await count(web)).toBe(0);
  });

  test("refuses the target that is one too many for its group, and takes one that is there already", async () => {
    const { group, register, count } = scene();
    const web = await group("web", { TargetType: "ip" });
    const targets = Array.from({ length: 1_000 }, (_, number) => ({ Id: `10.1.${number >> 8}.${number & 255}` }));
    await register(web, ...targets);
    await register(web, { Id: "10.1.0.0", Port: 80 });
    await expect(register(web, { Id: "10.1.9.9" })).rejects.toMatchObject({ Code: "TooManyTargets" });
    await expect(register(web, { Id: "10.1.0.0", Port: 81 })).rejects.toMatchObject({ Code: "TooManyTargets" });
    expect(await count(web)).toBe(1_000);
  });

  test.each(["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.0.1"])("refuses the public address %s", async (Id) => {
    const { group, register } = scene();
    const web = await group("web", { TargetType: "ip" });
    const message = `The IP address '${Id}' is publicly routable and cannot be registered as a target`;
    await expect(register(web, { Id, AvailabilityZone: "all" })).rejects.toMatchObject(refused(message));
  });

  test.each(["172.31.255.255", "100.127.0.1", "192.168.0.1"])("takes the private address %s", async (Id) => {
    const { group, register, count } = scene();
    const web = await group("web", { TargetType: "ip" });
    await register(web, { Id, AvailabilityZone: "all" });
    expect(await count(web)).toBe(1);
  });

  test("takes the public address of a machine in a VPC that uses it", async () => {
    const { region, group, register, count } = scene();
    region.node({ privateIp: "11.0.0.1" });
    const web = await group("web", { TargetType: "ip" });
    await register(web, { Id: "11.0.0.1" });
    expect(await count(web)).toBe(1);
  });

  test("refuses an address of the other family", async () => {
    const { region, group, register, count } = scene();
    region.node({ ipv6Addresses: ["2001:db8::1"] });
    const [four, six] = [
      await group("four", { TargetType: "ip" }),
      await group("six", { TargetType: "ip", IpAddressType: "ipv6" }),
    ];
    const [v4, v6] = [{ Id: "10.0.0.1" }, { Id: "2001:db8::1" }];
    await expect(register(four, v6)).rejects.toMatchObject(
      refused("The IP address '2001:db8::1' is not a valid IPv4 address"),
    );
    await expect(register(six, v4)).rejects.toMatchObject(
      refused("The IP address '10.0.0.1' is not a valid IPv6 address"),
    );
    await register(four, v4);
    await register(six, v6);
    expect([await count(four), await count(six)]).toEqual([1, 1]);
  });

  test("wants a zone for an address of another VPC", async () => {
    const { region, group, register, count } = scene();
    const { privateIp: Id } = region.node({ vpcId: OTHER_VPC });
    const web = await group("web", { TargetType: "ip" });
    await expect(register(web, { Id })).rejects.toMatchObject(
      refused(`You must specify an Availability Zone for the IP address '${Id}', which is outside the VPC '${VPC}'`),
    );
    await register(web, { Id, AvailabilityZone: "all" });
    expect(await count(web)).toBe(1);
  });
});

test("a classic load balancer refuses an instance of another VPC", async () => {
  const { region, classic } = scene();
  region.classic({ name: "old" });
  const { id: InstanceId } = region.node({ vpcId: OTHER_VPC });
  const command = new RegisterInstancesWithLoadBalancerCommand({
    LoadBalancerName: "old",
    Instances: [{ InstanceId }],
  });
  await expect(classic.send(command)).rejects.toMatchObject({ Code: "InvalidInstance" });
});

// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
describe("names", () => {
  test.each([
    ["a".repeat(33), "cannot be longer than '32' characters"],
    ["bad_name", "can only contain characters that are alphanumeric characters or hyphens(-)"],
    ["-bad", "cannot begin or end with a hyphen(-)"],
    ["bad-", "cannot begin or end with a hyphen(-)"],
  ])("%s is refused", async (name, why) => {
    const { group, loadBalancer } = scene();
    await expect(group(name)).rejects.toMatchObject(refused(`Target group name '${name}' ${why}`));
    await expect(loadBalancer(name)).rejects.toMatchObject(refused(`Load balancer name '${name}' ${why}`));
  });

  test("internal- begins the name of no load balancer, but of a target group", async () => {
    const { group, loadBalancer } = scene();
    expect(await group("internal-web")).toContain("targetgroup/internal-web/");
    await expect(loadBalancer("internal-web")).rejects.toMatchObject({ name: "ValidationError" });
  });
});

describe("protocols", () => {
  test("of a target group of an ALB are TCP and TLS, and its VPC has a VPC's id", async () => {
    const { group } = scene();
    await expect(group("web", { TargetType: "alb" })).rejects.toMatchObject(
      refused("Protocol 'HTTP' is not supported with target type 'alb'"),
    );
    expect(await group("web", { TargetType: "alb", Protocol: "TCP" })).toContain("targetgroup/web/");
    await expect(group("lost", { VpcId: "nowhere" })).rejects.toMatchObject(
      refused("The VPC ID 'nowhere' is not found"),
    );
  });

  test("of a listener are those of its load balancer's type", async () => {
    const { v2, group, loadBalancer, listener } = scene();
    const arn = await listener(await loadBalancer("web"), await group("web"));
    const change = new ModifyListenerCommand({ ListenerArn: arn, Protocol: "TCP" });
    await expect(v2.send(change)).rejects.toMatchObject(
      refused("Listener protocol 'TCP' must be one of 'HTTP, HTTPS'"),
    );
    const network = await loadBalancer("net", { Type: "network" });
    await expect(listener(network, await group("other"))).rejects.toMatchObject(
      refused("Listener protocol 'HTTP' must be one of 'TCP, TLS, UDP, TCP_UDP, QUIC, TCP_QUIC'"),
    );
  });

  test("of a Gateway Load Balancer's listener are not given", async () => {
    const { v2, group, loadBalancer } = scene();
    const LoadBalancerArn = await loadBalancer("gw", { Type: "gateway" });
    const DefaultActions = [forward(await group("web", { Protocol: "GENEVE", Port: 6081 }))];
    const { Listeners } = await v2.send(new CreateListenerCommand({ LoadBalancerArn, DefaultActions }));
    expect(Listeners).toHaveLength(1);
    const named = new CreateListenerCommand({ LoadBalancerArn, DefaultActions, Protocol: "TCP", Port: 80 });
    await expect(v2.send(named)).rejects.toMatchObject({ name: "ValidationError" });
  });
});

test("both APIs tell the limits of the account, page by page", async () => {
  const { v2, classic } = scene();
  const all = await v2.send(new DescribeAccountLimitsCommand({}));
  expect(all.Limits).toContainEqual({ Name: "target-groups", Max: "3000" });
  const page = await v2.send(new DescribeAccountLimitsCommand({ PageSize: 10 }));
  const rest = await v2.send(new DescribeAccountLimitsCommand({ Marker: page.NextMarker }));
  expect([...(page.Limits ?? []), ...(rest.Limits ?? [])]).toEqual(all.Limits);
  const { Limits } = await classic.send(new ClassicLimitsCommand({}));
  expect(Limits).toContainEqual({ Name: "classic-load-balancers", Max: "20" });
});
