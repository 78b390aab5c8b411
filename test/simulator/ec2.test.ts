import {
  DescribeInstancesCommand,
  type DescribeInstancesCommandInput,
  DescribeNetworkInterfacesCommand,
  type Filter,
  paginateDescribeInstances,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { createAwsClients } from "../../src/aws/clients.ts";
import { CREDENTIALS, SimulatedRegion } from "../support/simulated-region.ts";

const VPC = "vpc-0123456789abcdef0";
const OTHER_VPC = "vpc-fedcba98765432100";
const STRANGER = "i-0123456789abcdef0";

/** Two nodes of one VPC and one of another; the second has every sort of address. */
function three() {
  const region = new SimulatedRegion();
  const first = region.node({ tags: { "kubernetes.io/cluster/demo": "owned", Name: "first", stage: "" } });
  const second = region.node({
    zone: "eu-west-1b",
    secondaryIps: ["10.0.0.102", "10.0.0.103"],
    ipv6Addresses: ["2001:db8::2"],
    ipv4Prefixes: ["10.0.64.0/28"],
    tags: { "kubernetes.io/cluster/demo": "shared", Name: "second" },
  });
  const third = region.node({ vpcId: OTHER_VPC, name: "node-3.example.com", tags: {} });
  const { ec2 } = region.clients();
  const describe = async (input: DescribeInstancesCommandInput) => {
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand(input));
    return Reservations.flatMap(({ Instances = [] }) => Instances);
  };
  /** The last digits of the ids that fit the filters. */
  const filtered = async (...Filters: Filter[]) =>
    (await describe({ Filters })).map(({ InstanceId }) => Number(InstanceId?.slice(-1)));
  return { region, ec2, first, second, third, describe, filtered };
}

test("an instance is described with its state, its zone, its tags and every address", async () => {
  const { second, describe } = three();
  expect(await describe({ InstanceIds: [second.id] })).toMatchObject([
    {
      InstanceId: second.id,
      State: { Code: 16, Name: "running" },
      Placement: { AvailabilityZone: "eu-west-1b" },
      VpcId: VPC,
      PrivateIpAddress: "10.0.0.2",
      PrivateDnsName: "ip-10-0-0-2.eu-west-1.compute.internal",
      LaunchTime: new Date("2026-01-01T00:00:00Z"),
      Tags: [
        { Key: "kubernetes.io/cluster/demo", Value: "shared" },
        { Key: "Name", Value: "second" },
      ],
      NetworkInterfaces: [
        {
          VpcId: VPC,
          PrivateIpAddresses: [
            { PrivateIpAddress: "10.0.0.2", Primary: true },
            { PrivateIpAddress: "10.0.0.102", Primary: false },
            { PrivateIpAddress: "10.0.0.103", Primary: false },
          ],
          Ipv6Addresses: [{ Ipv6Address: "2001:db8::2" }],
          Ipv4Prefixes: [{ Ipv4Prefix: "10.0.64.0/28" }],
        },
      ],
    },
  ]);
});

describe("filters", () => {
  const ADDRESS = "network-interface.addresses.private-ip-address";
  const ids = ["i-00000000000000001", STRANGER, "nonsense"];
  test.each<{ what: string; filters: Filter[]; found: number[] }>([
    { what: "by id, and unknown ids are silently absent", filters: [{ Name: "instance-id", Values: ids }], found: [1] },
    { what: "by DNS name", filters: [{ Name: "private-dns-name", Values: ["node-3.example.com"] }], found: [3] },
    { what: "by address", filters: [{ Name: "private-ip-address", Values: ["10.0.0.2"] }], found: [2] },
    { what: "by an interface's first address", filters: [{ Name: ADDRESS, Values: ["10.0.0.1"] }], found: [1] },
    { what: "by an interface's second address", filters: [{ Name: ADDRESS, Values: ["10.0.0.103"] }], found: [2] },
    {
      what: "by an interface's IPv6 address",
      filters: [{ Name: "network-interface.ipv6-addresses.ipv6-address", Values: ["2001:db8::2"] }],
      found: [2],
    },
    { what: "by VPC", filters: [{ Name: "vpc-id", Values: [OTHER_VPC] }], found: [3] },
    { what: "by state", filters: [{ Name: "instance-state-name", Values: ["running"] }], found: [1, 2, 3] },
    { what: "by a tag's value", filters: [{ Name: "tag:kubernetes.io/cluster/demo", Values: ["owned"] }], found: [1] },
    { what: "by a tag's key", filters: [{ Name: "tag-key", Values: ["Name"] }], found: [1, 2] },
    { what: "by an empty tag", filters: [{ Name: "tag:stage", Values: [""] }], found: [1] },
    { what: "by one value or the other", filters: [{ Name: "tag:Name", Values: ["second", "first"] }], found: [1, 2] },
    {
      what: "by all filters together",
      filters: [
        { Name: "vpc-id", Values: [VPC] },
        { Name: "tag:Name", Values: ["second"] },
      ],
      found: [2],
    },
    { what: "with * for any characters", filters: [{ Name: "tag-key", Values: ["kubernetes.io/*"] }], found: [1, 2] },
    { what: "with ? for one character", filters: [{ Name: ADDRESS, Values: ["10.0.0.?"] }], found: [1, 2, 3] },
    { what: "with a dot that is a dot", filters: [{ Name: ADDRESS, Values: ["10.0.0.1.3"] }], found: [] },
    { what: "with letters as they are", filters: [{ Name: "tag:Name", Values: ["First"] }], found: [] },
    { what: "without values: whoever has any", filters: [{ Name: "tag:Name", Values: [] }], found: [1, 2] },
    { what: "by a key like JavaScript's own", filters: [{ Name: "tag:constructor", Values: ["*"] }], found: [] },
  ])("choose $what", async ({ filters, found }) => {
    expect(await three().filtered(...filters)).toEqual(found);
  });

  test.each(["private-dns", "constructor", "__proto__", ""])(
    "named '%s' are refused, even with nothing to filter",
    async (Name) => {
      const { ec2 } = new SimulatedRegion().clients();
      await expect(
        ec2.send(new DescribeInstancesCommand({ Filters: [{ Name, Values: ["x"] }] })),
      ).rejects.toMatchObject({
        name: "InvalidParameterValue",
        message: `The filter '${Name}' is invalid`,
      });
    },
  );

  test("take 200 values and no more", async () => {
    const { first, filtered } = three();
    const Values = [first.id, ...Array.from({ length: 199 }, () => STRANGER)];
    expect(await filtered({ Name: "instance-id", Values })).toEqual([1]);
    await expect(filtered({ Name: "instance-id", Values: [...Values, STRANGER] })).rejects.toMatchObject({
      name: "FilterLimitExceeded",
    });
  });
});

describe("asking by ids", () => {
  test.each([
    { ids: [STRANGER], message: `The instance ID '${STRANGER}' does not exist` },
    {
      ids: [STRANGER, "i-00000000000000001", "i-12345678"],
      message: `The instance IDs '${STRANGER}, i-12345678' do not exist`,
    },
  ])("fails as a whole for unknown ones: $message", async ({ ids, message }) => {
    await expect(three().describe({ InstanceIds: ids })).rejects.toMatchObject({
      name: "InvalidInstanceID.NotFound",
      Code: "InvalidInstanceID.NotFound",
      message,
    });
  });

  test.each(["node-1", "i-123", "i-0123456789ABCDEF0"])("fails for the malformed '%s'", async (id) => {
    await expect(three().describe({ InstanceIds: [id] })).rejects.toMatchObject({
      name: "InvalidInstanceID.Malformed",
    });
  });

  test("can't be combined with pages", async () => {
    const { first, describe } = three();
    await expect(describe({ InstanceIds: [first.id], MaxResults: 5 })).rejects.toMatchObject({
      name: "InvalidParameterCombination",
      message: "The parameter instancesSet cannot be used with the parameter maxResults",
    });
  });
});

describe("pages", () => {
  test("give every instance once, in order, to the SDK's paginator", async () => {
    const region = new SimulatedRegion();
    for (let count = 0; count < 12; count++) region.node();
    const pages: string[][] = [];
    for await (const { Reservations = [] } of paginateDescribeInstances(
      { client: region.clients().ec2, pageSize: 5 },
      {},
    )) {
      pages.push(Reservations.flatMap(({ Instances = [] }) => Instances.map(({ InstanceId = "" }) => InstanceId)));
    }
    expect(pages.map(({ length }) => length)).toEqual([5, 5, 2]);
    expect(pages.flat()).toEqual([...region.world.instances.keys()]);
  });

  test("end with the last instance, also where it fills the page", async () => {
    const region = new SimulatedRegion();
    for (let count = 0; count < 5; count++) region.node();
    const { NextToken } = await region.clients().ec2.send(new DescribeInstancesCommand({ MaxResults: 5 }));
    expect(NextToken).toBeUndefined();
  });

  test.each([5, 1_000])("may hold %d", async (MaxResults) => {
    expect(await three().describe({ MaxResults })).toHaveLength(3);
  });

  test.each([-1, 0, 4, 1_001])("may not hold %d", async (MaxResults) => {
    await expect(three().describe({ MaxResults })).rejects.toMatchObject({
      name: "InvalidParameterValue",
      message: `Value ( ${MaxResults} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.`,
    });
  });

  test("after a token that nobody gave are refused", async () => {
    await expect(three().describe({ NextToken: "x" })).rejects.toMatchObject({
      name: "InvalidParameterValue",
      message: "Unable to parse pagination token",
    });
  });
});

describe("terminating", () => {
  test("shuts an instance down, and then it is terminated: without a network, but with its tags", async () => {
    const { region, ec2, second, describe, filtered } = three();
    expect(await ec2.send(new TerminateInstancesCommand({ InstanceIds: [second.id] }))).toMatchObject({
      TerminatingInstances: [
        {
          InstanceId: second.id,
          CurrentState: { Code: 32, Name: "shutting-down" },
          PreviousState: { Code: 16, Name: "running" },
        },
      ],
    });
    await region.clock.advance(4_999);
    expect(await describe({ InstanceIds: [second.id] })).toMatchObject([
      { State: { Name: "shutting-down" }, PrivateIpAddress: "10.0.0.2", NetworkInterfaces: [{}] },
    ]);
    await region.clock.advance(1);
    const [terminated] = await describe({ InstanceIds: [second.id] });
    expect(terminated).toMatchObject({
      State: { Code: 48, Name: "terminated" },
      PrivateDnsName: "",
      NetworkInterfaces: [],
      Tags: [{ Key: "kubernetes.io/cluster/demo" }, { Key: "Name" }],
    });
    expect(terminated).not.toHaveProperty("PrivateIpAddress");
    expect(terminated).not.toHaveProperty("VpcId");
    expect(await filtered({ Name: "private-ip-address", Values: ["10.0.0.2"] })).toEqual([]);
    expect(await filtered({ Name: "vpc-id", Values: [VPC] })).toEqual([1]);
    expect(await filtered({ Name: "instance-state-name", Values: ["terminated"] })).toEqual([2]);
  });

  test.each([
    ["by default", {}, false],
    ["with SkipOsShutdown", { SkipOsShutdown: true }, true],
    // It tries a shutdown first.
    ["with Force", { Force: true }, false],
  ])("lets an instance vanish from the network in the middle of everything, or not: %s", async (_, how, vanishes) => {
    const { ec2, first } = three();
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [first.id], ...how }));
    expect(first.hasVanished).toBe(vanishes);
  });

  test("again changes nothing", async () => {
    const { region, ec2, first } = three();
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [first.id] }));
    await region.clock.advance(4_999);
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [first.id] }));
    await region.clock.advance(1);
    expect(await ec2.send(new TerminateInstancesCommand({ InstanceIds: [first.id] }))).toMatchObject({
      TerminatingInstances: [{ PreviousState: { Name: "terminated" }, CurrentState: { Name: "terminated" } }],
    });
  });

  test("an unknown instance among others terminates none", async () => {
    const { ec2, first, describe } = three();
    const command = new TerminateInstancesCommand({ InstanceIds: [first.id, STRANGER] });
    await expect(ec2.send(command)).rejects.toMatchObject({ name: "InvalidInstanceID.NotFound" });
    expect(await describe({ InstanceIds: [first.id] })).toMatchObject([{ State: { Name: "running" } }]);
  });

  test("nothing is refused", async () => {
    await expect(three().ec2.send(new TerminateInstancesCommand({ InstanceIds: [] }))).rejects.toMatchObject({
      name: "InvalidParameterCombination",
      message: "No instances specified",
    });
  });
});

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
describe("DryRun", () => {
  const about = (id: string) => ({ InstanceIds: [id], DryRun: true });
  const refusalOf = (sent: Promise<unknown>) =>
    sent.then(
      () => "success",
      ({ name, $metadata: { httpStatusCode } }) => [name, httpStatusCode],
    );

  test.each([
    ["DescribeInstances", (id: string) => new DescribeInstancesCommand(about(id))],
    ["DescribeNetworkInterfaces", () => new DescribeNetworkInterfacesCommand({ DryRun: true })],
    ["TerminateInstances", (id: string) => new TerminateInstancesCommand(about(id))],
    ["StopInstances", (id: string) => new StopInstancesCommand(about(id))],
    ["StartInstances", (id: string) => new StartInstancesCommand(about(id))],
  ])("of %s changes nothing, and says whether the caller may make the call", async (action, commandFor) => {
    const { region, first } = three();
    const callAs = (accessKeyId: string) =>
      refusalOf(
        createAwsClients({
          region: region.world.region,
          ...region.aws({ ...CREDENTIALS, accessKeyId }),
        }).ec2.send(commandFor(first.id) as DescribeInstancesCommand),
      );
    for (const [accessKeyId, Action] of [
      ["may", `ec2:${action}`],
      ["mayNot", "ec2:DescribeTags"],
    ] as const) {
      const document = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] };
      region.simulator.access.restrict({ accessKeyId, document });
    }
    expect(await callAs("may")).toEqual(["DryRunOperation", 412]);
    expect(await callAs("mayNot")).toEqual(["UnauthorizedOperation", 403]);
    expect(first.state(region.clock.now(), region.world.timing)).toBe("running");
  });

  test("that is false is none", async () => {
    const { ec2, first } = three();
    const command = new DescribeInstancesCommand({ InstanceIds: [first.id], DryRun: false });
    expect((await ec2.send(command)).Reservations).toHaveLength(1);
  });
});
