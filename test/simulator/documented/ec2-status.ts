import { ABSENT, including, refused } from "./comparison.ts";
import { EC2 } from "./pages.ts";
import { differs, ec2, later, type Row, STRANGER } from "./row.ts";

const ERRORS = `${EC2}/errors-overview.html`;
const InstanceIds = ["{node}"];

const describe = ec2("DescribeInstances", { InstanceIds });
const status = (settings: Parameters<typeof ec2<"describeInstanceStatus">>[1]) =>
  ec2("DescribeInstanceStatus", settings);
const stop = ec2("StopInstances", { InstanceIds });
const STOPPED = [stop, later(60)];

/** The status of instances, and networks. */
export const statusRows: readonly Row[] = [
  {
    says: "the status of a running instance is told",
    page: `${EC2}/API_DescribeInstanceStatus.html`,
    given: [describe, later(300)],
    call: status({ InstanceIds }),
    answers: {
      InstanceStatuses: [
        {
          InstanceId: "{node}",
          AvailabilityZone: "{zone}",
          InstanceState: { Code: 16, Name: "running" },
          InstanceStatus: { Status: "ok", Details: [{ Name: "reachability", Status: "passed" }] },
          SystemStatus: { Status: "ok", Details: [{ Name: "reachability", Status: "passed" }] },
        },
      ],
    },
  },
  {
    says: "instances that do not run are left out",
    page: `${EC2}/API_DescribeInstanceStatus.html`,
    quote:
      "By default, only running instances are described, unless you specifically indicate to return the status of all instances.",
    given: STOPPED,
    call: status({ InstanceIds }),
    answers: { InstanceStatuses: [] },
  },
  {
    says: "they are told where all are asked for",
    page: `${EC2}/API_DescribeInstanceStatus.html`,
    quote: "When true, includes the health status for all instances.",
    given: STOPPED,
    call: status({ InstanceIds, IncludeAllInstances: true }),
    answers: {
      InstanceStatuses: [{ InstanceState: { Name: "stopped" }, InstanceStatus: { Status: "not-applicable" } }],
    },
  },
  {
    says: "the status of an unknown instance is refused",
    page: ERRORS,
    call: status({ InstanceIds: [STRANGER] }),
    answers: refused("InvalidInstanceID.NotFound"),
  },
  {
    says: "an instance may be terminated by default",
    page: `${EC2}/API_DescribeInstanceAttribute.html`,
    call: ec2("DescribeInstanceAttribute", { InstanceId: "{node}", Attribute: "disableApiTermination" }),
    answers: { InstanceId: "{node}", DisableApiTermination: { Value: false } },
  },
  {
    says: "an attribute that does not exist is refused",
    page: `${EC2}/API_DescribeInstanceAttribute.html`,
    call: ec2("DescribeInstanceAttribute", { InstanceId: "{node}", Attribute: "colour" }),
    answers: refused("InvalidParameterValue"),
  },
  {
    says: "the zones of the Region are available without opting in",
    page: `${EC2}/API_DescribeAvailabilityZones.html`,
    quote: "For Availability Zones, this parameter always has the value of opt-in-not-required.",
    call: ec2("DescribeAvailabilityZones", {}),
    answers: {
      AvailabilityZones: including({
        ZoneName: "{zone}",
        RegionName: "eu-west-1",
        State: "available",
        OptInStatus: "opt-in-not-required",
        ZoneType: "availability-zone",
      }),
    },
    moto: differs("missing", { AvailabilityZones: including({ ZoneName: "{zone}", OptInStatus: ABSENT }) }),
  },
  {
    says: "the subnets of a VPC are found",
    page: `${EC2}/API_DescribeSubnets.html`,
    given: [describe],
    call: ec2("DescribeSubnets", {
      Filters: [
        { Name: "vpc-id", Values: ["{vpc}"] },
        { Name: "availability-zone", Values: ["{zone}"] },
      ],
    }),
    answers: { Subnets: [{ SubnetId: "{subnetA}", AvailabilityZone: "{zone}", State: "available" }] },
  },
  {
    says: "an unknown subnet is refused",
    page: ERRORS,
    call: ec2("DescribeSubnets", { SubnetIds: ["subnet-0dddddddddddddddd"] }),
    answers: refused("InvalidSubnetID.NotFound"),
  },
  {
    says: "an unknown VPC is refused",
    page: ERRORS,
    call: ec2("DescribeVpcs", { VpcIds: ["vpc-0dddddddddddddddd"] }),
    answers: refused("InvalidVpcID.NotFound"),
  },
  {
    says: "the interface of an instance is found",
    page: `${EC2}/API_DescribeNetworkInterfaces.html`,
    given: [describe],
    call: ec2("DescribeNetworkInterfaces", { Filters: [{ Name: "attachment.instance-id", Values: ["{node}"] }] }),
    answers: {
      NetworkInterfaces: [
        {
          Status: "in-use",
          PrivateIpAddress: "{nodeIp}",
          VpcId: "{vpc}",
          Attachment: { InstanceId: "{node}", DeviceIndex: 0 },
        },
      ],
    },
  },
  {
    says: "a security group of the same name in the VPC is refused",
    page: `${EC2}/API_CreateSecurityGroup.html`,
    quote: "You can't have two security groups for the same VPC with the same name.",
    given: [describe, ec2("CreateSecurityGroup", { GroupName: "lb", Description: "d", VpcId: "{vpc}" })],
    call: ec2("CreateSecurityGroup", { GroupName: "lb", Description: "d", VpcId: "{vpc}" }),
    answers: refused("InvalidGroup.Duplicate"),
  },
  {
    says: "a rule that is there is refused",
    page: ERRORS,
    given: [
      describe,
      ec2("CreateSecurityGroup", { GroupName: "lb", Description: "d", VpcId: "{vpc}" }, { group: "GroupId" }),
      ec2("AuthorizeSecurityGroupIngress", {
        GroupId: "{group}",
        IpPermissions: [{ IpProtocol: "tcp", FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: "10.0.0.0/8" }] }],
      }),
    ],
    call: ec2("AuthorizeSecurityGroupIngress", {
      GroupId: "{group}",
      IpPermissions: [{ IpProtocol: "tcp", FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: "10.0.0.0/8" }] }],
    }),
    answers: refused("InvalidPermission.Duplicate"),
  },
  {
    says: "an unknown security group is refused",
    page: ERRORS,
    call: ec2("DescribeSecurityGroups", { GroupIds: ["sg-0dddddddddddddddd"] }),
    answers: refused("InvalidGroup.NotFound"),
  },
];
