import {
  DescribeInstanceAttributeCommand,
  DescribeInstanceStatusCommand,
  type DescribeInstanceStatusCommandInput,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  type Filter,
  RebootInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const SECOND_MS = 1_000;

function scene() {
  const region = new SimulatedRegion();
  const first = region.node({ tags: { Name: "first" } });
  const second = region.node({ zone: "eu-west-1b", ipv6Addresses: ["2001:db8::2"], secondaryIps: ["10.0.0.102"] });
  const { ec2 } = oneAttempt(region);
  const found = async (...filters: readonly (readonly [string, ...string[]])[]) => {
    const Filters: Filter[] = filters.map(([Name, ...Values]) => ({ Name, Values }));
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }));
    return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ InstanceId }) => InstanceId));
  };
  const statuses = async (input: DescribeInstanceStatusCommandInput = {}) =>
    (await ec2.send(new DescribeInstanceStatusCommand(input))).InstanceStatuses ?? [];
  return { region, ...region, ec2, first, second, found, statuses };
}

test("DescribeInstances sends what AWS always sends, of the machine, its disk, its settings and its interfaces", async () => {
  const { ec2, second } = scene();
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [second.id] }));
  expect(Reservations[0]).toMatchObject({ OwnerId: "123456789012", Groups: [] });
  expect(Reservations[0]?.Instances?.[0]).toMatchObject({
    Architecture: "arm64",
    BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { Status: "attached", DeleteOnTermination: true } }],
    EbsOptimized: true,
    EnaSupport: true,
    Hypervisor: "xen",
    Ipv6Address: "2001:db8::2",
    MetadataOptions: { State: "applied", HttpTokens: "required", HttpEndpoint: "enabled" },
    Monitoring: { State: "disabled" },
    Placement: { AvailabilityZone: "eu-west-1b", AvailabilityZoneId: "euw1-az2", Tenancy: "default" },
    PlatformDetails: "Linux/UNIX",
    ProductCodes: [],
    RootDeviceName: "/dev/xvda",
    RootDeviceType: "ebs",
    SecurityGroups: [{ GroupName: "default" }],
    SourceDestCheck: true,
    VirtualizationType: "hvm",
    NetworkInterfaces: [
      {
        Attachment: { DeviceIndex: 0, Status: "attached", DeleteOnTermination: true },
        MacAddress: "02:00:00:00:00:02",
        PrivateDnsName: "ip-10-0-0-2.eu-west-1.compute.internal",
        PrivateIpAddresses: [
          { PrivateDnsName: "ip-10-0-0-2.eu-west-1.compute.internal" },
          { PrivateDnsName: "ip-10-0-0-102.eu-west-1.compute.internal" },
        ],
      },
    ],
  });
});

test("a terminated instance has neither disk nor interface, and says why it is off", async () => {
  const { ec2, clock, first } = scene();
  await ec2.send(new TerminateInstancesCommand({ InstanceIds: [first.id] }));
  await clock.advance(60 * SECOND_MS);
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [first.id] }));
  expect(Reservations[0]?.Instances?.[0]).toMatchObject({
    BlockDeviceMappings: [],
    NetworkInterfaces: [],
    SecurityGroups: [],
    StateReason: { Code: "Client.UserInitiatedShutdown" },
  });
});

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
describe("filters of DescribeInstances", () => {
  test.each<[string, ...string[]]>([
    ["availability-zone", "eu-west-1b"],
    ["availability-zone-id", "euw1-az2"],
    ["ipv6-address", "2001:db8::*"],
    ["network-interface.availability-zone", "eu-west-1b"],
    ["network-interface.mac-address", "02:00:00:00:00:02"],
    ["network-interface.private-dns-name", "ip-10-0-0-2.*"],
    ["network-interface.subnet-id", `subnet-${VPC}-eu-west-1b`],
    ["network-interface.attachment.instance-id", "i-00000000000000002"],
    ["reservation-id", "r-00000000000000002"],
    ["subnet-id", `subnet-${VPC}-eu-west-1b`],
    ["block-device-mapping.volume-id", "vol-00000000000000002"],
  ])("%s finds the one that has it", async (...filter) => {
    const { second, found } = scene();
    expect(await found(filter)).toEqual([second.id]);
  });

  test.each<[string, ...string[]]>([
    ["architecture", "arm64"],
    ["image-id", "ami-*"],
    ["instance-state-code", "16"],
    ["instance-type", "m7g.*"],
    ["instance.group-name", "default"],
    ["launch-time", "2026-01-01T00:00:00.000Z"],
    ["metadata-options.http-tokens", "required"],
    ["monitoring-state", "disabled"],
    ["network-interface.addresses.primary", "true"],
    ["network-interface.attachment.device-index", "0"],
    ["network-interface.group-id", "sg-*"],
    ["network-interface.vpc-id", VPC],
    ["owner-id", "123456789012"],
    ["root-device-type", "ebs"],
    ["tenancy", "default"],
  ])("%s finds all that have it, and none by another value", async (name, ...values) => {
    const { first, second, found } = scene();
    expect(await found([name, ...values])).toEqual([first.id, second.id]);
    expect(await found([name, "another"])).toEqual([]);
  });

  test("that ask for what no instance here has, such as a public address, find none", async () => {
    const { found } = scene();
    expect(await found(["ip-address", "*"])).toEqual([]);
    expect(await found(["network-interface.association.public-ip", "*"])).toEqual([]);
    await expect(found(["colour", "red"])).rejects.toMatchObject({ Code: "InvalidParameterValue" });
  });
});

test("other Describe calls take filters of what they describe too", async () => {
  const { ec2, second } = scene();
  const mac = [{ Name: "mac-address", Values: ["02:00:00:00:00:02"] }];
  const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({ Filters: mac }));
  expect(NetworkInterfaces).toMatchObject([{ Attachment: { InstanceId: second.id }, RequesterManaged: false }]);
  const mapped = [{ Name: "map-public-ip-on-launch", Values: ["true"] }];
  expect((await ec2.send(new DescribeSubnetsCommand({ Filters: mapped }))).Subnets).toHaveLength(3);
});

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
describe("DescribeInstanceStatus", () => {
  test("tells of running instances, of all if asked to, and by filters", async () => {
    const { world, clock, first, second, statuses } = scene();
    world.stopInstance(first);
    await clock.advance(60 * SECOND_MS);
    expect(await statuses()).toMatchObject([
      {
        InstanceId: second.id,
        InstanceState: { Name: "running" },
        InstanceStatus: { Status: "ok", Details: [{ Name: "reachability", Status: "passed" }] },
        SystemStatus: { Status: "ok" },
      },
    ]);
    expect(await statuses({ IncludeAllInstances: true })).toMatchObject([
      { InstanceId: first.id, InstanceState: { Name: "stopped" }, InstanceStatus: { Status: "not-applicable" } },
      { InstanceId: second.id },
    ]);
    expect(await statuses({ Filters: [{ Name: "system-status.status", Values: ["impaired"] }] })).toEqual([]);
    expect(await statuses({ Filters: [{ Name: "instance-status.reachability", Values: ["passed"] }] })).toHaveLength(1);
  });

  test("says that checks have yet to pass for two minutes after a start", async () => {
    const { world, clock, first, statuses } = scene();
    const InstanceIds = [first.id];
    world.stopInstance(first);
    await clock.advance(120 * SECOND_MS);
    world.startInstance(first);
    await clock.advance(60 * SECOND_MS);
    expect(await statuses({ InstanceIds })).toMatchObject([{ InstanceStatus: { Status: "initializing" } }]);
    await clock.advance(120 * SECOND_MS);
    expect(await statuses({ InstanceIds })).toMatchObject([{ InstanceStatus: { Status: "ok" } }]);
  });

  test("has the events that AWS has scheduled", async () => {
    const { world, first, second, statuses } = scene();
    const { id } = world.scheduledEvents.schedule({ code: "system-reboot", instances: [first], startsInMs: 3_600_000 });
    const [status] = await statuses({ Filters: [{ Name: "event.code", Values: ["system-reboot"] }] });
    expect(status).toMatchObject({
      InstanceId: first.id,
      Events: [{ InstanceEventId: id, Code: "system-reboot", NotBefore: new Date("2026-01-01T01:00:00Z") }],
    });
    expect(await statuses({ InstanceIds: [second.id] })).toMatchObject([{ Events: [] }]);
  });
});

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html
test("DescribeTags tells which resource has which tag, by each of its filters", async () => {
  const { ec2, world, first, second } = scene();
  world.networks.tagsOf(VPC).set("Name", "net");
  const read = async (Name: string, ...Values: string[]) => {
    const { Tags = [] } = await ec2.send(new DescribeTagsCommand({ Filters: [{ Name, Values }] }));
    return Tags.map(({ ResourceId, ResourceType, Key, Value }) => [ResourceId, ResourceType, Key, Value]);
  };
  const [ofFirst, ofSecond, ofVpc] = [
    [first.id, "instance", "Name", "first"],
    [second.id, "instance", "kubernetes.io/cluster/demo", "owned"],
    [VPC, "vpc", "Name", "net"],
  ];
  expect(await read("resource-id", second.id)).toEqual([ofSecond]);
  expect(await read("key", "Name")).toEqual([ofFirst, ofVpc]);
  expect(await read("value", "ow*")).toEqual([ofSecond]);
  expect(await read("resource-type", "vpc")).toEqual([ofVpc]);
  expect(await read("tag:Name", "first", "second")).toEqual([ofFirst]);
});

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html
test("DescribeInstanceAttribute tells one attribute, and refuses what is none", async () => {
  const { ec2, first } = scene();
  const read = (Attribute: string) =>
    ec2.send(new DescribeInstanceAttributeCommand({ InstanceId: first.id, Attribute: Attribute as "instanceType" }));
  expect(await read("instanceType")).toMatchObject({ InstanceId: first.id, InstanceType: { Value: "m7g.large" } });
  expect(await read("disableApiTermination")).toMatchObject({ DisableApiTermination: { Value: false } });
  expect(await read("groupSet")).toMatchObject({ Groups: [{ GroupId: expect.stringMatching(/^sg-/) }] });
  await expect(read("colour")).rejects.toMatchObject({ Code: "InvalidParameterValue" });
});

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RebootInstances.html
test("RebootInstances ends the processes of a running instance until it is up again, and no other's", async () => {
  const { ec2, world, clock, first, second } = scene();
  await ec2.send(new RebootInstancesCommand({ InstanceIds: [first.id] }));
  expect([first.answering.up, second.answering.up]).toEqual([false, true]);
  expect(world.isRunning(first.id)).toBe(true);
  await clock.advance(world.timing.rebootMs);
  world.catchUp();
  expect(first.answering.up).toBe(true);
  world.stopInstance(second);
  const refused = ec2.send(new RebootInstancesCommand({ InstanceIds: [second.id] }));
  await expect(refused).rejects.toMatchObject({ Code: "IncorrectInstanceState" });
});
