import { A_DATE, ABSENT, count, type Expected, refused } from "./comparison.ts";
import { EC2, EC2_GUIDE } from "./pages.ts";
import { BREAKS_DOWN, type Difference, differs, ec2, later, type Row, STRANGER, UNCHECKED } from "./row.ts";

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
const finds = (
  name: string,
  value: string,
  more: { readonly page?: string; readonly moto?: Difference } = {},
): Row => ({
  says: `the filter ${name} finds by ${value}`,
  page: DESCRIBE,
  given: [describe],
  call: filtered(name, value),
  answers: instance({ InstanceId: "{node}" }),
  ...more,
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
    moto: differs("other value", {
      Reservations: [
        { Instances: [{ SecurityGroups: [], NetworkInterfaces: [{ Attachment: { DeleteOnTermination: false } }] }] },
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
    moto: differs("other error", refused("InvalidInstanceID.NotFound")),
  },
  {
    says: "what is no instance id is refused",
    page: ERRORS,
    call: ec2("DescribeInstances", { InstanceIds: ["banana"] }),
    answers: refused("InvalidInstanceID.Malformed"),
    moto: differs("other error", refused("InvalidInstanceID.NotFound")),
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
      moto: UNCHECKED,
    }),
  ),
  {
    says: "a token that EC2 has not given is refused",
    page: DESCRIBE,
    call: ec2("DescribeInstances", { MaxResults: 5, NextToken: "nonsense" }),
    answers: refused("InvalidParameterValue"),
    moto: BREAKS_DOWN,
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
    moto: UNCHECKED,
  },
  {
    says: "more than 200 values of a filter are refused",
    page: `${EC2_GUIDE}/Using_Filtering.html`,
    call: filtered("instance-id", ...Array.from({ length: 201 }, (_, index) => `i-${String(index).padStart(17, "0")}`)),
    answers: refused("FilterLimitExceeded"),
    moto: UNCHECKED,
  },
  finds("instance-id", "{node}"),
  finds("private-ip-address", "{nodeIp}"),
  finds("network-interface.addresses.private-ip-address", "{nodeIp}", { moto: BREAKS_DOWN }),
  finds("vpc-id", "{vpc}"),
  finds("subnet-id", "{subnetA}"),
  finds("availability-zone", "{zone}", { moto: differs("other value", NONE) }),
  finds("instance-state-name", "running"),
  finds("instance-state-code", "16", { moto: BREAKS_DOWN }),
  finds("instance.group-name", "default", { moto: differs("missing", NONE) }),
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
    moto: UNCHECKED,
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
    moto: differs("other value", { StartingInstances: [{ CurrentState: { Name: "pending" } }] }),
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
    moto: differs("other value", {
      Reservations: [{ Instances: [{ PrivateIpAddress: "172.31.0.4", NetworkInterfaces: count(1) }] }],
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
    moto: differs("timeless", { TerminatingInstances: [{ CurrentState: { Name: "shutting-down" } }] }),
  },
  {
    says: "a terminated instance cannot be started",
    page: ERRORS,
    given: TERMINATED,
    call: start,
    answers: refused("IncorrectInstanceState"),
    moto: UNCHECKED,
  },
  {
    says: "a terminated instance cannot be stopped",
    page: ERRORS,
    given: TERMINATED,
    call: stop,
    answers: refused("IncorrectInstanceState"),
    moto: UNCHECKED,
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
