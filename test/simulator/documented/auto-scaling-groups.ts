import { AutoScalingGroupName, hook, member, terminate } from "./auto-scaling-calls.ts";
import { A_DATE, count, type Expected, refused } from "./comparison.ts";
import { SCALING, SCALING_GUIDE } from "./pages.ts";
import { BREAKS_DOWN, differs, later, type Row, STRANGER, scaling, UNCHECKED } from "./row.ts";

const groups = (settings: Parameters<typeof scaling<"describeAutoScalingGroups">>[1] = {}) =>
  scaling("DescribeAutoScalingGroups", { AutoScalingGroupNames: [AutoScalingGroupName], ...settings });
const group = (group: Expected): Expected => ({ AutoScalingGroups: [group] });
const standby = (ShouldDecrementDesiredCapacity: boolean, InstanceIds = ["{member}"]) =>
  scaling("EnterStandby", { AutoScalingGroupName, InstanceIds, ShouldDecrementDesiredCapacity });
const capacity = (DesiredCapacity: number) => scaling("SetDesiredCapacity", { AutoScalingGroupName, DesiredCapacity });

/** Groups, and who is in them. */
export const scalingGroupRows: readonly Row[] = [
  {
    says: "a group is described with its defaults",
    page: `${SCALING}/API_AutoScalingGroup.html`,
    call: groups(),
    answers: group({
      AutoScalingGroupName: "workers",
      AutoScalingGroupARN: /:autoScalingGroup:.+:autoScalingGroupName\/workers$/,
      MinSize: 1,
      MaxSize: 3,
      DesiredCapacity: 2,
      DefaultCooldown: 300,
      HealthCheckType: "EC2",
      AvailabilityZones: ["{zone}"],
      TerminationPolicies: ["Default"],
      NewInstancesProtectedFromScaleIn: false,
      SuspendedProcesses: [],
      EnabledMetrics: [],
      CreatedTime: A_DATE,
      Instances: [
        { InstanceId: "{member}", LifecycleState: "InService", HealthStatus: "Healthy", AvailabilityZone: "{zone}" },
        { InstanceId: "{second}", LifecycleState: "InService" },
      ],
    }),
  },
  {
    says: "an unknown group is left out",
    page: `${SCALING}/API_DescribeAutoScalingGroups.html`,
    quote:
      "If you specify Auto Scaling group names, the output includes information for only the specified Auto Scaling groups.",
    call: groups({ AutoScalingGroupNames: ["gone"] }),
    answers: { AutoScalingGroups: [] },
  },
  {
    says: "a group is described without its instances where they are not wanted",
    page: `${SCALING}/API_DescribeAutoScalingGroups.html`,
    quote:
      "Specifies whether to include information about Amazon EC2 instances in the response. When set to true (default), the response includes instance details.",
    call: groups({ IncludeInstances: false }),
    answers: group({ AutoScalingGroupName: "workers", Instances: [] }),
    moto: differs("other value", { AutoScalingGroups: [{ Instances: count(2) }] }),
  },
  {
    says: "more than 100 groups a page are refused",
    page: `${SCALING}/API_DescribeAutoScalingGroups.html`,
    quote: "The default value is 50 and the maximum value is 100.",
    call: groups({ MaxRecords: 101 }),
    answers: refused("ValidationError"),
    moto: BREAKS_DOWN,
  },
  {
    says: "a filter that does not exist is refused",
    page: `${SCALING}/API_Filter.html`,
    call: groups({ Filters: [{ Name: "colour", Values: ["red"] }] }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a token that was not given is refused",
    page: `${SCALING}/API_DescribeAutoScalingGroups.html`,
    quote: "The NextToken value is not valid.",
    call: groups({ NextToken: "nonsense" }),
    answers: refused("InvalidNextToken"),
    moto: BREAKS_DOWN,
  },
  {
    says: "a member says which group it is of",
    page: `${SCALING}/API_DescribeAutoScalingInstances.html`,
    call: member(),
    answers: {
      AutoScalingInstances: [
        {
          InstanceId: "{member}",
          AutoScalingGroupName: "workers",
          AvailabilityZone: "{zone}",
          LifecycleState: "InService",
          HealthStatus: "HEALTHY",
          ProtectedFromScaleIn: false,
        },
      ],
    },
    moto: differs("other value", { AutoScalingInstances: [{ HealthStatus: "Healthy" }] }),
  },
  {
    says: "an unknown instance is passed over",
    page: `${SCALING}/API_DescribeAutoScalingInstances.html`,
    quote: "If you specify an ID that does not exist, it is ignored with no error.",
    call: member([STRANGER, "{member}"]),
    answers: { AutoScalingInstances: count(1) },
  },
  {
    says: "more than 50 instances are refused",
    page: `${SCALING}/API_DescribeAutoScalingInstances.html`,
    call: member(Array(51).fill(STRANGER)),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a termination is an activity in progress",
    page: `${SCALING}/API_TerminateInstanceInAutoScalingGroup.html`,
    quote: "Terminates the specified instance and optionally adjusts the desired group size.",
    call: terminate(),
    answers: {
      Activity: {
        ActivityId: /./,
        AutoScalingGroupName: "workers",
        StatusCode: "InProgress",
        StartTime: A_DATE,
        Description: "Terminating EC2 instance: {member}",
      },
    },
  },
  {
    says: "a termination shrinks the group where it is told to",
    page: `${SCALING}/API_TerminateInstanceInAutoScalingGroup.html`,
    given: [terminate()],
    call: groups(),
    answers: group({ DesiredCapacity: 1 }),
  },
  {
    says: "a group does not shrink below its minimum",
    page: `${SCALING}/API_TerminateInstanceInAutoScalingGroup.html`,
    given: [capacity(1), later(300)],
    call: terminate(true, "{second}"),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "an instance of no group is not terminated",
    page: `${SCALING}/API_TerminateInstanceInAutoScalingGroup.html`,
    call: terminate(true, "{node}"),
    answers: refused("ValidationError"),
    moto: BREAKS_DOWN,
  },
  {
    says: "a capacity above the maximum is refused",
    page: `${SCALING_GUIDE}/asg-capacity-limits.html`,
    call: capacity(4),
    answers: refused("ValidationError", { message: /above max value 3/ }),
    moto: UNCHECKED,
  },
  {
    says: "a capacity below the minimum is refused",
    page: `${SCALING_GUIDE}/asg-capacity-limits.html`,
    call: capacity(0),
    answers: refused("ValidationError", { message: /below min value 1/ }),
    moto: UNCHECKED,
  },
  {
    says: "a smaller capacity terminates a member",
    page: `${SCALING}/API_SetDesiredCapacity.html`,
    quote:
      "If a scale-in activity occurs as a result of a new DesiredCapacity value that is lower than the current size of the group, the Auto Scaling group uses its termination policy to determine which instances to terminate.",
    given: [groups(), capacity(1), later(300)],
    call: groups(),
    answers: group({ DesiredCapacity: 1, Instances: count(1) }),
  },
  {
    says: "a member goes to standby, and the group wants one less",
    page: `${SCALING_GUIDE}/as-enter-exit-standby.html`,
    given: [standby(true), later(60)],
    call: groups(),
    answers: group({
      DesiredCapacity: 1,
      Instances: [
        { InstanceId: "{member}", LifecycleState: "Standby" },
        { InstanceId: "{second}", LifecycleState: "InService" },
      ],
    }),
  },
  {
    says: "the move to standby is an activity",
    page: `${SCALING}/API_EnterStandby.html`,
    call: standby(true),
    answers: { Activities: [{ Description: "Moving EC2 instance to Standby: {member}", StartTime: A_DATE }] },
    moto: differs("other value", { Activities: [{ Description: "Moving EC2 instance to StandBy: {member}" }] }),
  },
  {
    says: "standby must leave the minimum",
    page: `${SCALING}/API_EnterStandby.html`,
    quote:
      "If you choose to decrement the desired capacity of the Auto Scaling group, the instances can enter standby as long as the desired capacity of the Auto Scaling group after the instances are placed into standby is equal to or greater than the minimum capacity of the group.",
    call: standby(true, ["{member}", "{second}"]),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "more than 20 instances are refused",
    page: `${SCALING}/API_EnterStandby.html`,
    quote: "The IDs of the instances. You can specify up to 20 instances.",
    call: standby(true, Array(21).fill("{member}")),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a member that comes back makes the group want one more",
    page: `${SCALING}/API_ExitStandby.html`,
    quote: "After you put the instances back in service, the desired capacity is incremented.",
    given: [
      standby(true),
      later(60),
      scaling("ExitStandby", { AutoScalingGroupName, InstanceIds: ["{member}"] }),
      later(300),
    ],
    call: groups(),
    answers: group({
      DesiredCapacity: 2,
      Instances: [{ LifecycleState: "InService" }, { LifecycleState: "InService" }],
    }),
  },
  {
    says: "a member that is not in standby does not come back",
    page: `${SCALING}/API_ExitStandby.html`,
    call: scaling("ExitStandby", { AutoScalingGroupName, InstanceIds: ["{member}"] }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a detached member is of no group",
    page: `${SCALING}/API_DetachInstances.html`,
    quote: "After the instances are detached, you can manage them independent of the Auto Scaling group.",
    given: [
      scaling("DetachInstances", {
        AutoScalingGroupName,
        InstanceIds: ["{member}"],
        ShouldDecrementDesiredCapacity: true,
      }),
      later(60),
    ],
    call: member(),
    answers: { AutoScalingInstances: [] },
  },
  {
    says: "an attached instance makes the group want one more",
    page: `${SCALING}/API_AttachInstances.html`,
    quote:
      "When you attach instances, Amazon EC2 Auto Scaling increases the desired capacity of the group by the number of instances being attached.",
    given: [scaling("AttachInstances", { AutoScalingGroupName, InstanceIds: ["{node}"] }), later(60)],
    call: groups(),
    answers: group({ DesiredCapacity: 3, Instances: count(3) }),
  },
  {
    says: "an attached instance does not take the group above its maximum",
    page: `${SCALING}/API_AttachInstances.html`,
    quote:
      "If the number of instances being attached plus the desired capacity of the group exceeds the maximum size of the group, the operation fails.",
    call: scaling("AttachInstances", { AutoScalingGroupName, InstanceIds: ["{node}", "{other}"] }),
    answers: refused("ValidationError"),
    moto: differs("other error", refused("ResourceContention", { status: 500 })),
  },
  {
    says: "a member can be said to be unhealthy",
    page: `${SCALING}/API_SetInstanceHealth.html`,
    given: [hook(), later(600), scaling("SetInstanceHealth", { InstanceId: "{member}", HealthStatus: "Unhealthy" })],
    call: member(),
    answers: { AutoScalingInstances: [{ HealthStatus: "UNHEALTHY" }] },
    moto: differs("other value", { AutoScalingInstances: [{ HealthStatus: "Unhealthy" }] }),
  },
  {
    says: "a health that does not exist is refused",
    page: `${SCALING}/API_SetInstanceHealth.html`,
    call: scaling("SetInstanceHealth", { InstanceId: "{member}", HealthStatus: "Tired" }),
    answers: refused("ValidationError"),
    moto: BREAKS_DOWN,
  },
  {
    says: "the activities of an unknown group are refused",
    page: `${SCALING}/API_DescribeScalingActivities.html`,
    call: scaling("DescribeScalingActivities", { AutoScalingGroupName: "gone" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "the newest activity comes first",
    page: `${SCALING}/API_DescribeScalingActivities.html`,
    given: [terminate(), later(60)],
    call: scaling("DescribeScalingActivities", { AutoScalingGroupName, MaxRecords: 1 }),
    answers: { Activities: [{ Description: "Terminating EC2 instance: {member}" }] },
    moto: differs("other value", { Activities: [] }),
  },
  {
    says: "the cooldown of a group is changed",
    page: `${SCALING}/API_UpdateAutoScalingGroup.html`,
    given: [scaling("UpdateAutoScalingGroup", { AutoScalingGroupName, DefaultCooldown: 60 })],
    call: groups(),
    answers: group({ DefaultCooldown: 60 }),
    moto: differs("missing", group({ DefaultCooldown: 300 })),
  },
  {
    says: "the activities of a deleted group are described where they are wanted",
    page: `${SCALING}/API_DescribeScalingActivities.html`,
    quote: "Indicates whether to include scaling activity from deleted Auto Scaling groups.",
    given: [terminate(), scaling("DeleteAutoScalingGroup", { AutoScalingGroupName, ForceDelete: true })],
    call: scaling("DescribeScalingActivities", { IncludeDeletedGroups: true }),
    answers: { Activities: [{ AutoScalingGroupName: "workers", AutoScalingGroupState: "Deleted" }] },
    moto: differs("missing", { Activities: [] }),
  },
];
