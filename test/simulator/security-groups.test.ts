import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteSecurityGroupCommand,
  DeleteTagsCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  RevokeSecurityGroupIngressCommand,
} from "@aws-sdk/client-ec2";
import { CreateLoadBalancerCommand, DeleteLoadBalancerCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";

const HTTP = { IpProtocol: "tcp", FromPort: 80, ToPort: 80 };
const FROM_ANYWHERE = { ...HTTP, IpRanges: [{ CidrIp: "0.0.0.0/0" }] };

async function regionWithGroup() {
  const region = new SimulatedRegion();
  const node = region.node();
  const { ec2, v2 } = region.clients();
  const create = new CreateSecurityGroupCommand({ GroupName: "web", Description: "web", VpcId: VPC });
  const { GroupId = "" } = await ec2.send(create);
  const ingress = async () => {
    const { SecurityGroups } = await ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }));
    return SecurityGroups?.[0]?.IpPermissions;
  };
  return { region, node, ec2, v2, GroupId, ingress };
}

describe("a security group", () => {
  test("has the rules that were authorized, those of the same ports in one permission, less those that were revoked", async () => {
    const { ec2, GroupId, ingress } = await regionWithGroup();
    const fromWithin = { ...HTTP, UserIdGroupPairs: [{ GroupId }] };
    await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [FROM_ANYWHERE, fromWithin] }));
    expect(await ingress()).toMatchObject([{ ...FROM_ANYWHERE, UserIdGroupPairs: [{ GroupId }] }]);
    const again = ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [FROM_ANYWHERE] }));
    await expect(again).rejects.toMatchObject({ name: "InvalidPermission.Duplicate" });
    await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions: [FROM_ANYWHERE] }));
    expect(await ingress()).toMatchObject([{ ...HTTP, IpRanges: [], UserIdGroupPairs: [{ GroupId }] }]);
  });

  test("has rules with ids and tags, which are revoked by their ids", async () => {
    const { ec2, GroupId, ingress } = await regionWithGroup();
    const Tags = [{ Key: "team", Value: "web" }];
    const { SecurityGroupRules } = await ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId,
        IpPermissions: [FROM_ANYWHERE, { ...HTTP, UserIdGroupPairs: [{ GroupId }] }],
        TagSpecifications: [{ ResourceType: "security-group-rule", Tags }],
      }),
    );
    const [anywhere = "", within = ""] =
      SecurityGroupRules?.map(({ SecurityGroupRuleId = "" }) => SecurityGroupRuleId) ?? [];
    expect(SecurityGroupRules).toMatchObject([{ Tags }, { Tags }]);
    await ec2.send(new DeleteTagsCommand({ Resources: [within], Tags }));
    const ofType = { Filters: [{ Name: "resource-type", Values: ["security-group-rule"] }] };
    expect((await ec2.send(new DescribeTagsCommand(ofType))).Tags).toMatchObject([
      { ResourceId: anywhere, Key: "team" },
    ]);
    const revoke = (id: string) =>
      ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, SecurityGroupRuleIds: [id] }));
    expect((await revoke(anywhere)).RevokedSecurityGroupRules).toMatchObject([
      { SecurityGroupRuleId: anywhere, GroupId, IsEgress: false, FromPort: 80, CidrIpv4: "0.0.0.0/0" },
    ]);
    expect(await ingress()).toMatchObject([{ ...HTTP, IpRanges: [], UserIdGroupPairs: [{ GroupId }] }]);
    await expect(revoke(anywhere)).rejects.toMatchObject({ name: "InvalidSecurityGroupRuleId.NotFound" });
    expect((await revoke(within)).RevokedSecurityGroupRules).toMatchObject([{ ReferencedGroupId: GroupId }]);
    expect(await ingress()).toEqual([]);
  });

  test.each([
    ["ip-permission.cidr", "0.0.0.0/0", ["web"]],
    ["ip-permission.from-port", "80", ["web"]],
    ["ip-permission.to-port", "81", []],
    ["ip-permission.protocol", "tcp", ["web"]],
    ["ip-permission.ipv6-cidr", "*", []],
    ["ip-permission.prefix-list-id", "*", []],
    ["ip-permission.group-name", "default", ["default"]],
    ["ip-permission.user-id", "123456789012", ["default"]],
    ["egress.ip-permission.cidr", "0.0.0.0/0", ["default", "web"]],
    ["egress.ip-permission.protocol", "-1", ["default", "web"]],
    ["egress.ip-permission.from-port", "80", []],
    ["egress.ip-permission.group-name", "default", []],
  ])("is found by its rules: %s %s", async (Name, value, names) => {
    const { ec2, GroupId } = await regionWithGroup();
    await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [FROM_ANYWHERE] }));
    const command = new DescribeSecurityGroupsCommand({ Filters: [{ Name, Values: [value] }] });
    const { SecurityGroups } = await ec2.send(command);
    expect(SecurityGroups?.map(({ GroupName }) => GroupName).sort()).toEqual(names);
  });

  test("is not found by a name that no group has", async () => {
    const { ec2 } = await regionWithGroup();
    const command = new DescribeSecurityGroupsCommand({ GroupNames: ["web", "none"] });
    await expect(ec2.send(command)).rejects.toMatchObject({ name: "InvalidGroup.NotFound" });
  });

  test("cannot be deleted while a load balancer or another group's rule has it", async () => {
    const { ec2, v2, GroupId } = await regionWithGroup();
    const remove = () => ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
    const created = await v2.send(
      new CreateLoadBalancerCommand({
        Name: "front",
        Type: "network",
        Subnets: [`subnet-${VPC}-a`],
        SecurityGroups: [GroupId],
      }),
    );
    await expect(remove()).rejects.toMatchObject({ name: "DependencyViolation" });
    const LoadBalancerArn = created.LoadBalancers?.[0]?.LoadBalancerArn;
    await v2.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }));
    const command = new DescribeSecurityGroupsCommand({ Filters: [{ Name: "group-name", Values: ["default"] }] });
    const { SecurityGroups } = await ec2.send(command);
    const rule = {
      GroupId: SecurityGroups?.[0]?.GroupId,
      IpPermissions: [{ ...HTTP, UserIdGroupPairs: [{ GroupId }] }],
    };
    await ec2.send(new AuthorizeSecurityGroupIngressCommand(rule));
    await expect(remove()).rejects.toMatchObject({ name: "DependencyViolation" });
    await ec2.send(new RevokeSecurityGroupIngressCommand(rule));
    await remove();
    await expect(remove()).rejects.toMatchObject({ name: "InvalidGroup.NotFound" });
  });

  test("called default is in each VPC, and each instance and interface is in it", async () => {
    const { ec2, node } = await regionWithGroup();
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [node.id] }));
    const instance = Reservations?.[0]?.Instances?.[0];
    expect(instance?.SecurityGroups).toMatchObject([{ GroupName: "default" }]);
    const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({}));
    expect(NetworkInterfaces?.[0]).toMatchObject({
      Groups: instance?.SecurityGroups,
      Attachment: { DeviceIndex: 0, InstanceId: node.id, Status: "attached" },
      SubnetId: instance?.SubnetId,
    });
  });
});

test("tags of EC2's resources are set, found by filters and deleted, with a value only where it is the same", async () => {
  const { ec2 } = await regionWithGroup();
  const tagged = async () => {
    const command = new DescribeSubnetsCommand({ Filters: [{ Name: "tag-key", Values: ["kubernetes.io/role/elb"] }] });
    return (await ec2.send(command)).Subnets?.map(({ SubnetId }) => SubnetId);
  };
  const Resources = [`subnet-${VPC}-eu-west-1a`];
  const tag = (Value?: string) => [{ Key: "kubernetes.io/role/elb", ...(Value === undefined ? {} : { Value }) }];
  await ec2.send(new CreateTagsCommand({ Resources, Tags: tag("1") }));
  expect(await tagged()).toEqual(Resources);
  await ec2.send(new DeleteTagsCommand({ Resources, Tags: tag("2") }));
  expect(await tagged()).toEqual(Resources);
  await ec2.send(new DeleteTagsCommand({ Resources, Tags: tag() }));
  expect(await tagged()).toEqual([]);
});

test("an interface has the tags that it is given, and instances and interfaces are found by them", async () => {
  const { ec2, node } = await regionWithGroup();
  const [Resource = ""] = node.interfaces.map(({ id }) => id);
  const Tags = [{ Key: "team", Value: "web" }];
  await ec2.send(new CreateTagsCommand({ Resources: [Resource], Tags }));
  const byTag = { Filters: [{ Name: "tag:team", Values: ["web"] }] };
  const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand(byTag));
  expect(NetworkInterfaces).toMatchObject([{ NetworkInterfaceId: Resource, TagSet: Tags }]);
  const byValue = {
    Filters: [
      { Name: "tag-value", Values: ["web"] },
      { Name: "group-name", Values: ["default"] },
    ],
  };
  expect((await ec2.send(new DescribeNetworkInterfacesCommand(byValue))).NetworkInterfaces).toHaveLength(1);
  const byKey = { Filters: [{ Name: "network-interface.tag-key", Values: ["team"] }] };
  expect((await ec2.send(new DescribeInstancesCommand(byKey))).Reservations).toHaveLength(1);
  await ec2.send(new DeleteTagsCommand({ Resources: [Resource], Tags }));
  expect((await ec2.send(new DescribeNetworkInterfacesCommand(byTag))).NetworkInterfaces).toEqual([]);
});

test.each([
  ["vol-00000000000000001", "NotSimulated"],
  ["igw-0123456789abcdef0", "NotSimulated"],
  ["subnet-0123456789abcdef0", "InvalidID"],
  ["eni-0123456789abcdef0", "InvalidID"],
  ["nothing", "InvalidID"],
])("tags of %s are refused as %s", async (id, name) => {
  const { ec2 } = await regionWithGroup();
  const command = new CreateTagsCommand({ Resources: [id], Tags: [{ Key: "a", Value: "b" }] });
  await expect(ec2.send(command)).rejects.toMatchObject({ name });
});

test.each([
  ["enable-dns64", "false"],
  ["ipv6-native", "false"],
  ["map-customer-owned-ip-on-launch", "false"],
  ["private-dns-name-options-on-launch.hostname-type", "ip-name"],
  ["private-dns-name-options-on-launch.enable-resource-name-dns-a-record", "false"],
])("every subnet has %s %s", async (Name, value) => {
  const { ec2 } = await regionWithGroup();
  const { Subnets } = await ec2.send(new DescribeSubnetsCommand({ Filters: [{ Name, Values: [value] }] }));
  expect(Subnets).toHaveLength(3);
});

test.each([
  ["metadata-options.http-protocol-ipv4", "enabled"],
  ["network-interface.requester-managed", "false"],
  ["network-interface.ipv6-native", "false"],
  ["network-interface.operator.managed", "false"],
  ["operator.managed", "false"],
])("every instance has %s %s", async (Name, value) => {
  const { ec2, node } = await regionWithGroup();
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ Filters: [{ Name, Values: [value] }] }));
  expect(Reservations).toMatchObject([{ Instances: [{ InstanceId: node.id }] }]);
});
