import { ABSENT, including, refused } from "./comparison.ts";
import { EC2 } from "./pages.ts";
import { differs, ec2, type Row } from "./row.ts";

const ERRORS = `${EC2}/errors-overview.html`;
const HTTP = { IpProtocol: "tcp", FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: "192.0.2.0/24" }] };
const GroupId = "{group}";

/** A simulated VPC exists as soon as anything is in it. */
const inUse = ec2("DescribeInstances", { InstanceIds: ["{node}"] });
const create = ec2(
  "CreateSecurityGroup",
  { GroupName: "web", Description: "web", VpcId: "{vpc}" },
  { group: "GroupId" },
);
const authorize = ec2(
  "AuthorizeSecurityGroupIngress",
  {
    GroupId,
    IpPermissions: [HTTP],
    TagSpecifications: [{ ResourceType: "security-group-rule", Tags: [{ Key: "team", Value: "web" }] }],
  },
  { rule: "SecurityGroupRules.0.SecurityGroupRuleId" },
);
const revoke = ec2("RevokeSecurityGroupIngress", { GroupId, SecurityGroupRuleIds: ["{rule}"] });
const found = (Name: string, value: string) =>
  ec2("DescribeSecurityGroups", {
    Filters: [
      { Name, Values: [value] },
      { Name: "group-id", Values: [GroupId] },
    ],
  });
const GROUP = { SecurityGroups: [{ GroupId }] };

/** Security groups, their rules and subnets. */
export const securityGroupRows: readonly Row[] = [
  {
    says: "a rule is revoked by its id",
    page: `${EC2}/API_RevokeSecurityGroupIngress.html`,
    quote: "The IDs of the security group rules.",
    given: [inUse, create, authorize, revoke],
    call: ec2("DescribeSecurityGroups", { GroupIds: [GroupId] }),
    answers: { SecurityGroups: [{ GroupId, IpPermissions: [] }] },
  },
  {
    says: "a rule that is revoked is described",
    page: `${EC2}/API_RevokeSecurityGroupIngress.html`,
    quote: "Details about the revoked security group rules.",
    given: [inUse, create, authorize],
    call: revoke,
    answers: { RevokedSecurityGroupRules: [{ SecurityGroupRuleId: "{rule}", FromPort: 80, IsEgress: false }] },
    moto: differs("missing", { RevokedSecurityGroupRules: ABSENT }),
  },
  {
    says: "a rule has the tags that it is given",
    page: `${EC2}/API_AuthorizeSecurityGroupIngress.html`,
    quote: "The tags applied to the security group rule.",
    given: [inUse, create],
    call: authorize,
    answers: { SecurityGroupRules: [{ Tags: [{ Key: "team", Value: "web" }] }] },
  },
  {
    says: "a group is found by the port of a rule",
    page: `${EC2}/API_DescribeSecurityGroups.html`,
    quote: "For an inbound rule, the start of port range for the TCP and UDP protocols, or an ICMP type number.",
    given: [inUse, create, authorize],
    call: found("ip-permission.from-port", "80"),
    answers: GROUP,
  },
  {
    says: "a group is found by an outbound rule",
    page: `${EC2}/API_DescribeSecurityGroups.html`,
    quote: "An IPv4 CIDR block for an outbound security group rule.",
    given: [inUse, create],
    call: found("egress.ip-permission.cidr", "0.0.0.0/0"),
    answers: GROUP,
  },
  {
    says: "a name that no group has is refused",
    page: ERRORS,
    call: ec2("DescribeSecurityGroups", { GroupNames: ["gone"] }),
    answers: refused("InvalidGroup.NotFound"),
  },
  {
    says: "a subnet for IPv4 is found as such",
    page: `${EC2}/API_Subnet.html`,
    quote: "Indicates whether this is an IPv6 only subnet.",
    given: [inUse],
    call: ec2("DescribeSubnets", { Filters: [{ Name: "ipv6-native", Values: ["false"] }] }),
    answers: { Subnets: including({ SubnetId: "{subnetA}", Ipv6Native: false }) },
  },
];
