import { A_DATE, ABSENT, count, type Expected, including, refused } from "./comparison.ts";
import { EC2, EC2_GUIDE } from "./pages.ts";
import { ec2, later, type Row } from "./row.ts";

const STRANGER = "i-0dddddddddddddddd";
const DESCRIBE = `${EC2}/API_DescribeInstances.html`;
const ERRORS = `${EC2}/errors-overview.html`;
const LIFECYCLE = `${EC2_GUIDE}/ec2-instance-lifecycle.html`;
const InstanceIds = ["{node}"];
const DRY_RUN =
  "If you have the required permissions, the error response is DryRunOperation. Otherwise, it is UnauthorizedOperation.";

const instance = (instance: Expected): Expected => ({ Reservations: [{ Instances: [instance] }] });
const NONE: Expected = { Reservations: [] };
const describe = ec2("DescribeInstances", { InstanceIds });
const filtered = (Name: string, ...Values: readonly string[]) =>
  ec2("DescribeInstances", { Filters: [{ Name, Values }] });
const status = (settings: Parameters<typeof ec2<"describeInstanceStatus">>[1]) =>
  ec2("DescribeInstanceStatus", settings);
const tag = (Key: string, Value: string) => ec2("CreateTags", { Resources: ["{node}"], Tags: [{ Key, Value }] });
const stop = ec2("StopInstances", { InstanceIds });
const start = ec2("StartInstances", { InstanceIds });
const terminate = ec2("TerminateInstances", { InstanceIds });
const STOPPED = [stop, later(60)];
const TERMINATED = [terminate, later(60)];

const dryRun = (action: "StopInstances" | "StartInstances" | "TerminateInstances" | "RebootInstances"): Row => ({
  says: `a dry run of ${action} is answered by an error`,
  page: `${EC2}/API_${action}.html`,
  quote: DRY_RUN,
  call: ec2(action, { InstanceIds, DryRun: true }),
  answers: refused("DryRunOperation", { status: 412 }),
});
/** A filter by which the node is found. */
const finds = (name: string, value: string, more: { readonly page?: string } = {}): Row => ({
  says: `the filter ${name} finds by ${value}`,
  page: more.page ?? DESCRIBE,
  given: [describe],
  call: filtered(name, value),
  answers: instance({ InstanceId: "{node}" }),
});

/** Instances. */
export const instanceRows: readonly Row[] = [
  {
    says: "an instance is described with what every instance has",
    page: `${EC2}/API_Instance.html`,
    call: describe,
    answers: instance({
      InstanceId: "{node}",
      State: { Code: 16, Name: "running" },
      PrivateIpAddress: "{nodeIp}",
      VpcId: "{vpc}",
      SubnetId: "{subnetA}",
      Placement: { AvailabilityZone: "{zone}", Tenancy: "default" },
      LaunchTime: A_DATE,
      Hypervisor: "xen",
      VirtualizationType: "hvm",
      RootDeviceType: "ebs",
      RootDeviceName: /^\/dev\//,
      SourceDestCheck: true,
      Monitoring: { State: "disabled" },
    }),
  },
  {
    says: "an instance is described with its volume, its security group and its interface",
    page: `${EC2}/API_InstanceNetworkInterface.html`,
    call: describe,
    answers: instance({
      BlockDeviceMappings: [{ Ebs: { Status: "attached", DeleteOnTermination: true, VolumeId: /^vol-/ } }],
      SecurityGroups: [{ GroupName: "default", GroupId: /^sg-/ }],
      NetworkInterfaces: [
        {
          Attachment: { DeviceIndex: 0, Status: "attached", DeleteOnTermination: true },
          MacAddress: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/,
          PrivateIpAddress: "{nodeIp}",
          PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: "{nodeIp}" }],
          Status: "in-use",
          SubnetId: "{subnetA}",
        },
      ],
    }),
  },
  {
    says: "an unknown instance is refused",
    page: ERRORS,
    call: ec2("DescribeInstances", { InstanceIds: [STRANGER] }),
    answers: refused("InvalidInstanceID.NotFound", {
      message: /^The instance ID 'i-0dddddddddddddddd' does not exist$/,
    }),
  },
  {
    says: "several unknown instances are all named",
    page: ERRORS,
    call: ec2("DescribeInstances", { InstanceIds: [STRANGER, "{node}", "i-0cccccccccccccccc"] }),
    answers: refused("InvalidInstanceID.NotFound", { message: /i-0dddddddddddddddd, i-0cccccccccccccccc/ }),
  },
  {
    says: "what is no instance id is refused",
    page: ERRORS,
    call: ec2("DescribeInstances", { InstanceIds: ["banana"] }),
    answers: refused("InvalidInstanceID.Malformed"),
  },
  {
    says: "an unknown id in a filter finds nothing",
    page: DESCRIBE,
    call: filtered("instance-id", STRANGER),
    answers: NONE,
  },
  {
    says: "ids and a size of page are refused together",
    page: DESCRIBE,
    quote: "You cannot specify this parameter and the instance IDs parameter in the same request.",
    call: ec2("DescribeInstances", { InstanceIds, MaxResults: 5 }),
    answers: refused("InvalidParameterCombination"),
  },
  ...[4, 1_001].map(
    (MaxResults): Row => ({
      says: `a page of ${MaxResults} is refused`,
      page: `${EC2}/Query-Requests.html`,
      call: ec2("DescribeInstances", { MaxResults }),
      answers: refused("InvalidParameterValue"),
    }),
  ),
  {
    says: "a token that EC2 has not given is refused",
    page: DESCRIBE,
    call: ec2("DescribeInstances", { MaxResults: 5, NextToken: "nonsense" }),
    answers: refused("InvalidParameterValue"),
  },
  {
    says: "the last page has no token",
    page: DESCRIBE,
    quote:
      "The token to include in another request to get the next page of items. This value is null when there are no more items to return.",
    given: [describe],
    call: ec2("DescribeInstances", { MaxResults: 5 }),
    answers: { Reservations: count(1), NextToken: ABSENT },
  },
  {
    says: "a filter that EC2 does not have is refused",
    page: ERRORS,
    call: filtered("instance-colour", "red"),
    answers: refused("InvalidParameterValue", { message: /^The filter 'instance-colour' is invalid$/ }),
  },
  {
    says: "more than 200 values of a filter are refused",
    page: `${EC2_GUIDE}/Using_Filtering.html`,
    call: filtered("instance-id", ...Array.from({ length: 201 }, (_, index) => `i-${String(index).padStart(17, "0")}`)),
    answers: refused("FilterLimitExceeded"),
  },
  finds("instance-id", "{node}"),
  finds("private-ip-address", "{nodeIp}"),
  finds("network-interface.addresses.private-ip-address", "{nodeIp}"),
  finds("vpc-id", "{vpc}"),
  finds("subnet-id", "{subnetA}"),
  finds("availability-zone", "{zone}"),
  finds("instance-state-name", "running"),
  finds("instance-state-code", "16"),
  finds("instance.group-name", "default"),
  finds("tag:role", "worker"),
  finds("tag-key", "role"),
  finds("tag:role", "work*", { page: `${EC2_GUIDE}/Using_Filtering.html` }),
  finds("tag:role", "worke?", { page: `${EC2_GUIDE}/Using_Filtering.html` }),
  {
    says: "values of filters are case-sensitive",
    page: `${EC2_GUIDE}/Using_Filtering.html`,
    given: [describe],
    call: filtered("tag:role", "Worker"),
    answers: NONE,
  },
  {
    says: "several values of a filter are alternatives",
    page: `${EC2_GUIDE}/Using_Filtering.html`,
    given: [describe],
    call: filtered("instance-state-name", "stopped", "running"),
    answers: instance({ InstanceId: "{node}" }),
  },
  {
    says: "several filters must all hold",
    page: `${EC2_GUIDE}/Using_Filtering.html`,
    given: [describe],
    call: ec2("DescribeInstances", {
      Filters: [
        { Name: "tag:role", Values: ["worker"] },
        { Name: "instance-state-name", Values: ["stopped"] },
      ],
    }),
    answers: NONE,
  },
  {
    says: "a tag is replaced",
    page: `${EC2}/API_CreateTags.html`,
    quote: "When you specify an existing tag key, the value is overwritten with the new value.",
    given: [tag("role", "retired")],
    call: describe,
    answers: instance({ Tags: [{ Key: "role", Value: "retired" }] }),
  },
  {
    says: "a tag is deleted where it has the value that is given",
    page: `${EC2}/API_DeleteTags.html`,
    given: [
      ec2("DeleteTags", { Resources: ["{node}"], Tags: [{ Key: "role", Value: "other" }] }),
      tag("kubernetes.io/cluster/demo", "owned"),
      ec2("DeleteTags", { Resources: ["{node}"], Tags: [{ Key: "kubernetes.io/cluster/demo" }] }),
    ],
    call: describe,
    answers: instance({ Tags: [{ Key: "role", Value: "worker" }] }),
  },
  {
    says: "tags are found by their resource",
    page: `${EC2}/API_DescribeTags.html`,
    given: [describe],
    call: ec2("DescribeTags", { Filters: [{ Name: "resource-id", Values: ["{node}"] }] }),
    answers: { Tags: [{ Key: "role", Value: "worker", ResourceId: "{node}", ResourceType: "instance" }] },
  },
  {
    says: "a tag of an unknown instance is refused",
    page: ERRORS,
    call: ec2("CreateTags", { Resources: [STRANGER], Tags: [{ Key: "a", Value: "b" }] }),
    answers: refused("InvalidInstanceID.NotFound"),
  },
  dryRun("StopInstances"),
  dryRun("StartInstances"),
  dryRun("TerminateInstances"),
  dryRun("RebootInstances"),
  {
    says: "a dry run of a read is answered by an error too",
    page: DESCRIBE,
    quote: DRY_RUN,
    call: ec2("DescribeInstances", { DryRun: true }),
    answers: refused("DryRunOperation", { status: 412 }),
  },
  {
    says: "an instance that is told to stop is stopping",
    page: `${EC2}/API_StopInstances.html`,
    call: stop,
    answers: {
      StoppingInstances: [
        {
          InstanceId: "{node}",
          CurrentState: { Code: 64, Name: "stopping" },
          PreviousState: { Code: 16, Name: "running" },
        },
      ],
    },
  },
  {
    says: "it is stopped later, and says why",
    page: LIFECYCLE,
    given: STOPPED,
    call: describe,
    answers: instance({
      State: { Code: 80, Name: "stopped" },
      StateReason: { Code: "Client.UserInitiatedShutdown" },
    }),
  },
  {
    says: "a stopped instance keeps its private address",
    page: `${EC2_GUIDE}/Stop_Start.html`,
    given: STOPPED,
    call: describe,
    answers: instance({ PrivateIpAddress: "{nodeIp}", VpcId: "{vpc}" }),
  },
  {
    says: "a stopped instance that is started is pending",
    page: `${EC2}/API_StartInstances.html`,
    given: STOPPED,
    call: start,
    answers: {
      StartingInstances: [{ CurrentState: { Code: 0, Name: "pending" }, PreviousState: { Code: 80, Name: "stopped" } }],
    },
  },
  {
    says: "it runs later",
    page: LIFECYCLE,
    given: [...STOPPED, start, later(60)],
    call: describe,
    answers: instance({ State: { Code: 16, Name: "running" } }),
  },
  {
    says: "starting an instance that runs succeeds",
    page: `${EC2}/API_StartInstances.html`,
    call: start,
    answers: { StartingInstances: [{ CurrentState: { Name: "running" }, PreviousState: { Name: "running" } }] },
  },
  {
    says: "an instance that is told to terminate is shutting down",
    page: `${EC2}/API_TerminateInstances.html`,
    call: terminate,
    answers: {
      TerminatingInstances: [
        { CurrentState: { Code: 32, Name: "shutting-down" }, PreviousState: { Code: 16, Name: "running" } },
      ],
    },
  },
  {
    says: "it is terminated later, and has no address any more",
    page: `${EC2_GUIDE}/terminating-instances.html`,
    given: TERMINATED,
    call: describe,
    answers: instance({
      State: { Code: 48, Name: "terminated" },
      PrivateIpAddress: ABSENT,
      NetworkInterfaces: [],
    }),
  },
  {
    says: "an instance is terminated again with success",
    page: `${EC2}/API_TerminateInstances.html`,
    quote: "if you terminate an instance more than once, each call succeeds.",
    given: TERMINATED,
    call: terminate,
    answers: {
      TerminatingInstances: [{ CurrentState: { Name: "terminated" }, PreviousState: { Name: "terminated" } }],
    },
  },
  {
    says: "a terminated instance cannot be started",
    page: ERRORS,
    given: TERMINATED,
    call: start,
    answers: refused("IncorrectInstanceState"),
  },
  {
    says: "a terminated instance cannot be stopped",
    page: ERRORS,
    given: TERMINATED,
    call: stop,
    answers: refused("IncorrectInstanceState"),
  },
  {
    says: "a reboot of a terminated instance is ignored",
    page: `${EC2}/API_RebootInstances.html`,
    quote: "Requests to reboot terminated instances are ignored.",
    given: TERMINATED,
    call: ec2("RebootInstances", { InstanceIds }),
    answers: {},
  },
  {
    says: "one unknown instance keeps the others from being terminated",
    page: `${EC2}/API_TerminateInstances.html`,
    quote:
      "If you specify multiple instances and the request fails (for example, because of a single incorrect instance ID), none of the instances are terminated.",
    call: ec2("TerminateInstances", { InstanceIds: ["{node}", STRANGER] }),
    answers: refused("InvalidInstanceID.NotFound"),
  },
];

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
