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
