import { DescribeInstancesCommand, DescribeNetworkInterfacesCommand, type Filter } from "@aws-sdk/client-ec2";
import {
  DescribeListenerAttributesCommand,
  DescribeListenersCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";

const OTHER_VPC = "vpc-0fedcba9876543210";

/** An instance with an interface in another VPC, and a trunk with two branches, one of them there. */
function scene() {
  const region = new SimulatedRegion();
  const node = region.node({
    interfaces: [
      { privateIps: ["10.0.0.2"], vpcId: OTHER_VPC, ipv4Prefixes: ["10.9.0.0/28"] },
      {
        privateIps: ["10.0.0.200"],
        branches: [{ privateIps: ["10.0.39.1"] }, { privateIps: ["10.0.39.2"], vpcId: OTHER_VPC }],
      },
    ],
  });
  const other = region.node();
  const { ec2, v2 } = region.clients();
  const interfaces = async (...Filters: Filter[]) =>
    (await ec2.send(new DescribeNetworkInterfacesCommand({ Filters }))).NetworkInterfaces ?? [];
  return { region, node, other, ec2, v2, interfaces };
}

describe("network interfaces", () => {
  test("in another VPC are described with their instance, and branches are not", async () => {
    const { node, ec2 } = scene();
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [node.id] }));
    const [instance] = Reservations?.[0]?.Instances ?? [];
    expect(instance?.VpcId).toBe(VPC);
    expect(
      instance?.NetworkInterfaces?.map(({ VpcId, InterfaceType, PrivateIpAddress }) => [
        VpcId,
        InterfaceType,
        PrivateIpAddress,
      ]),
    ).toEqual([
      [VPC, "interface", "10.0.0.1"],
      [OTHER_VPC, "interface", "10.0.0.2"],
      [VPC, "trunk", "10.0.0.200"],
    ]);
  });

  test("branches are found by their trunk's tag, each in its VPC, and without an attachment", async () => {
    const { interfaces } = scene();
    const [trunk] = await interfaces({ Name: "interface-type", Values: ["trunk"] });
    const tag = { Name: "tag:vpcresources.k8s.aws/trunk-eni-id", Values: [trunk?.NetworkInterfaceId ?? ""] };
    const branches = await interfaces(tag);
    expect(
      branches.map(({ VpcId, InterfaceType, PrivateIpAddress }) => [VpcId, InterfaceType, PrivateIpAddress]),
    ).toEqual([
      [VPC, "branch", "10.0.39.1"],
      [OTHER_VPC, "branch", "10.0.39.2"],
    ]);
    expect(branches.map(({ Attachment }) => Attachment)).toEqual([undefined, undefined]);
    expect(trunk?.Attachment?.InstanceId).toBe("i-00000000000000001");
  });

  test("have ids of their own, and leave with their instance", async () => {
    const { region, node, interfaces } = scene();
    const ids = (await interfaces()).map(({ NetworkInterfaceId }) => NetworkInterfaceId);
    expect(new Set(ids).size).toBe(6);
    region.world.terminateInstance(node);
    await region.clock.advance(600_000);
    expect(await interfaces()).toHaveLength(1);
  });
});

describe("an address", () => {
  test("belongs to one machine in each VPC", () => {
    const { region, node, other } = scene();
    expect(region.world.machineOf("10.0.0.2", VPC)).toBe(other);
    expect(region.world.machineOf("10.0.0.2", OTHER_VPC)).toBe(node);
    expect(region.world.machineOf("10.9.0.3", OTHER_VPC)).toBe(node);
    // Beside the VPC: whoever has it.
    expect(region.world.machineOf("10.0.39.2", VPC)).toBe(node);
  });

  test.each([
    ["in the group's VPC has its machine's zone", VPC, "10.0.0.2", "eu-west-1a"],
    ["of an interface there has it too", OTHER_VPC, "10.0.0.2", "eu-west-1a"],
    ["outside the group's VPC has all", OTHER_VPC, "10.0.0.1", "all"],
  ])("%s", async (_, vpcId, Id, zone) => {
    const { region, v2 } = scene();
    const { arn: TargetGroupArn } = region.group({ name: "pods", targetType: "ip", vpcId, port: 80 });
    // Outside of the VPC the caller must say so.
    const Targets = [{ Id, ...(zone === "all" && { AvailabilityZone: zone }) }];
    await v2.send(new RegisterTargetsCommand({ TargetGroupArn, Targets }));
    const { TargetHealthDescriptions } = await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn }));
    expect(TargetHealthDescriptions?.map(({ Target }) => Target?.AvailabilityZone)).toEqual([zone]);
  });
});

describe("a QUIC group", () => {
  function quic() {
    const region = new SimulatedRegion();
    const node = region.node();
    const input = { name: "quic", type: "network", protocol: "QUIC", targetType: "ip", delaySeconds: 5 } as const;
    const group = region.group(input);
    const { v2 } = region.clients();
    const register = (QuicServerId?: string) =>
      v2.send(
        new RegisterTargetsCommand({ TargetGroupArn: group.arn, Targets: [{ Id: node.privateIp, QuicServerId }] }),
      );
    return { region, node, group, v2, register };
  }

  test("takes targets with a server id alone, and lists it", async () => {
    const { group, v2, register } = quic();
    await expect(register()).rejects.toMatchObject({ name: "ValidationError" });
    await expect(register("0xA1")).rejects.toMatchObject({ name: "ValidationError" });
    await register("0xa1b2c3d4e5f65890");
    const { TargetHealthDescriptions } = await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: group.arn }));
    expect(TargetHealthDescriptions?.[0]?.Target?.QuicServerId).toBe("0xa1b2c3d4e5f65890");
  });

  test("drains for 300 s, whatever its attribute says", async () => {
    const { region, node, group } = quic();
    region.world.registerTarget(group, { id: node.privateIp }, { settled: true });
    region.world.deregisterTarget(group, { id: node.privateIp });
    await region.clock.advance(299_000);
    expect(group.listed(region.clock.now())).toHaveLength(1);
    await region.clock.advance(1_000);
    expect(group.listed(region.clock.now())).toHaveLength(0);
  });
});

test.each([
  ["gateway", undefined, { "tcp.idle_timeout.seconds": "350" }],
  ["gateway", 6_000, { "tcp.idle_timeout.seconds": "6000" }],
  ["network", 60, { "tcp.idle_timeout.seconds": "60" }],
  ["application", undefined, { "routing.http.response.server.enabled": "true" }],
] as const)(
  "a listener of a load balancer of type %s has its attributes: %s",
  async (type, idleTimeoutSeconds, expected) => {
    const region = new SimulatedRegion();
    region.group({ name: "web", type, ...(idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds }) });
    const { v2 } = region.clients();
    const [loadBalancer] = region.world.loadBalancers.values();
    const { Listeners } = await v2.send(new DescribeListenersCommand({ LoadBalancerArn: loadBalancer?.arn }));
    const ListenerArn = Listeners?.[0]?.ListenerArn ?? "";
    const { Attributes = [] } = await v2.send(new DescribeListenerAttributesCommand({ ListenerArn }));
    const attributes = Object.fromEntries(Attributes.map(({ Key, Value }) => [Key, Value]));
    expect(attributes).toMatchObject(expected);
    expect(Object.hasOwn(attributes, "tcp.idle_timeout.seconds")).toBe(type !== "application");
  },
);
