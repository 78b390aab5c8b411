/** Why the simulator answers otherwise than an example shows. A closed list, because differences are counted by it. */
export const CAUSES = {
  "wrong example": "the example contradicts AWS's reference, or itself",
  "not simulated": "the simulator does not have the resource, the setting or the parameter",
  "other world": "no simulated world is like that of the example: its machines, networks and callers are of one kind",
  "no longer": "AWS no longer has what the example is about",
} as const;
export type Cause = keyof typeof CAUSES;

/** Where the simulator answers one example otherwise, for one reason. */
export interface Listed {
  /** `elbv2 DescribeTargetHealth 0` */
  readonly example: string;
  /** Members of the answer, as `Difference.place`, or the code of a refusal. */
  readonly places: readonly string[];
  readonly cause: Cause;
  /** A sentence. */
  readonly why: string;
}

type Row = readonly [example: string, places: string | readonly string[], why: string];

const listed =
  (cause: Cause) =>
  ([example, places, why]: Row): Listed => ({
    example,
    places: typeof places === "string" ? [places] : places,
    cause,
    why,
  });

const LAUNCH_CONFIGURATION = "Launch configurations are not simulated: groups launch by templates or like an instance.";
const ALARMS = "Alarms and automatic rollbacks of instance refreshes are not simulated, and are refused.";
const POLICIES = "Policies of classic load balancers are not simulated.";
const PUBLIC = "Public addresses of instances are not simulated.";
const IMAGES = "Images are not simulated, so none can be tagged.";
const M7G = "Every simulated machine is an m7g.large that runs Amazon Linux.";
const ONE_SUBNET = "A simulated VPC has one public /19 subnet in each zone.";
const EC2_CLASSIC =
  "EC2-Classic is retired: a call without subnets would need a default VPC, which no simulated region has.";
const USERS = "Every caller of the simulator is an IAM user.";
const DETAILS = "The details of an activity are JSON with its zone; the example has a placeholder.";

const WRONG_EXAMPLES: readonly Row[] = [
  ["elbv2 DeleteListener 0", "ValidationError", "The ARN names a region that AWS does not have."],
  [
    "elbv2 DescribeTargetHealth 0",
    "TargetHealthDescriptions.length",
    "One target on one port is listed twice, once as unused and once as healthy.",
  ],
  ["elbv2 ModifyLoadBalancerAttributes 2", "Attributes[1].Value", "The answer has another bucket than the call sets."],
  ["autoscaling DescribeScalingActivities 0", "Activities[0].Details", DETAILS],
  ["autoscaling DetachInstances 0", "Activities[0].Details", DETAILS],
  ["autoscaling EnterStandby 0", "Activities[0].Details", DETAILS],
  ["autoscaling ExitStandby 0", "Activities[0].Details", DETAILS],
  [
    "autoscaling DescribeInstanceRefreshes 0",
    "InstanceRefreshes[0].InstancesToUpdate",
    "Half of the instances are updated and none is left to update, though one still warms up, and so is not updated.",
  ],
  ["autoscaling DescribeTrafficSources 0", "NextToken", "AWS returns a token only where more items are available."],
  [
    "ec2 AuthorizeSecurityGroupIngress 2",
    "InvalidGroupId.Malformed",
    "The id of the security group ends with a blank.",
  ],
  ["ec2 DescribeInstanceAttribute 1", "DisableApiTermination.Value", "The model has a boolean here, not a text."],
  ["sts GetCallerIdentity 0", "UserId", "Ids of users begin with AIDA; AKIA begins those of access keys."],
];

const NOT_SIMULATED: readonly Row[] = [
  [
    "elb DescribeLoadBalancers 0",
    [
      "LoadBalancerDescriptions[0].BackendServerDescriptions.length",
      "LoadBalancerDescriptions[0].ListenerDescriptions[1].PolicyNames.length",
      "LoadBalancerDescriptions[0].Policies.LBCookieStickinessPolicies.length",
      "LoadBalancerDescriptions[0].Policies.OtherPolicies.length",
    ],
    POLICIES,
  ],
  ["autoscaling CreateAutoScalingGroup 0", "NotSimulated", "The lifetime of instances is not limited."],
  ["autoscaling CreateAutoScalingGroup 1", "NotSimulated", "A group's health checks are those of EC2."],
  ["autoscaling UpdateAutoScalingGroup 0", "NotSimulated", "Protection from scale-in is not simulated."],
  ["autoscaling StartInstanceRefresh 0", "NotSimulated", ALARMS],
  [
    "autoscaling DescribeInstanceRefreshes 0",
    [
      "InstanceRefreshes[0].Preferences.AlarmSpecification",
      "InstanceRefreshes[0].Preferences.AutoRollback",
      "InstanceRefreshes[1].Preferences.AlarmSpecification",
      "InstanceRefreshes[1].Preferences.AutoRollback",
    ],
    ALARMS,
  ],
  [
    "autoscaling DescribeInstanceRefreshes 0",
    "InstanceRefreshes[0].StatusReason",
    "A refresh has a reason for its status only where it has failed.",
  ],
  [
    "autoscaling DescribeAutoScalingGroups 0",
    [
      "AutoScalingGroups[0].Instances[0].LaunchConfigurationName",
      "AutoScalingGroups[0].Instances[1].LaunchConfigurationName",
      "AutoScalingGroups[0].LaunchConfigurationName",
    ],
    LAUNCH_CONFIGURATION,
  ],
  [
    "autoscaling DescribeAutoScalingInstances 0",
    "AutoScalingInstances[0].LaunchConfigurationName",
    LAUNCH_CONFIGURATION,
  ],
  ["autoscaling DescribeTrafficSources 0", "TrafficSources.length", "Target groups of VPC Lattice are not simulated."],
  ["ec2 CreateTags 0", "NotSimulated", IMAGES],
  ["ec2 DeleteTags 0", "NotSimulated", IMAGES],
  [
    "ec2 DescribeNetworkInterfaces 0",
    ["NetworkInterfaces[0].Association", "NetworkInterfaces[0].PrivateIpAddresses[0].Association"],
    PUBLIC,
  ],
  [
    "ec2 DescribeNetworkInterfaces 0",
    "NetworkInterfaces[0].Description",
    "Interfaces come with their instances, without a description.",
  ],
];

const OTHER_WORLDS: readonly Row[] = [
  [
    "autoscaling DescribeAutoScalingGroups 0",
    ["AutoScalingGroups[0].Instances[0].InstanceType", "AutoScalingGroups[0].Instances[1].InstanceType"],
    M7G,
  ],
  ["autoscaling DescribeAutoScalingInstances 0", "AutoScalingInstances[0].InstanceType", M7G],
  ["ec2 DescribeInstanceAttribute 0", "InstanceType.Value", M7G],
  [
    "ec2 DescribeInstanceAttribute 2",
    ["BlockDeviceMappings[0].DeviceName", "BlockDeviceMappings.length"],
    "A simulated machine has its root device only, which Amazon Linux calls /dev/xvda.",
  ],
  [
    "ec2 DescribeAvailabilityZones 0",
    "AvailabilityZones.length",
    "Each account has zones of its own; a simulated region always has the first three.",
  ],
  [
    "ec2 DescribeRouteTables 0",
    "RouteTables[0].Routes.length",
    "The subnets of a simulated VPC are public, so its route table also leads to the internet.",
  ],
  [
    "ec2 DescribeSubnets 0",
    ["Subnets[0].AvailableIpAddressCount", "Subnets[0].CidrBlock", "Subnets[0].MapPublicIpOnLaunch", "Subnets.length"],
    ONE_SUBNET,
  ],
  ["ec2 DescribeVpcAttribute 1", "EnableDnsHostnames.Value", "A simulated VPC has the defaults of CreateVpc."],
  ["sts GetCallerIdentity 1", ["Arn", "UserId"], USERS],
  ["sts GetCallerIdentity 2", ["Arn", "UserId"], USERS],
];

const NO_LONGER: readonly Row[] = [
  ["elb CreateLoadBalancer 1", "ValidationError", EC2_CLASSIC],
  ["elb CreateLoadBalancer 3", "ValidationError", EC2_CLASSIC],
];

/** Every difference that is known. The test fails where there is another one, and where one of these is gone. */
export const LISTED: readonly Listed[] = [
  ...WRONG_EXAMPLES.map(listed("wrong example")),
  ...NOT_SIMULATED.map(listed("not simulated")),
  ...OTHER_WORLDS.map(listed("other world")),
  ...NO_LONGER.map(listed("no longer")),
];
