import { A_DATE, ABSENT, count, type Expected, refused } from "./comparison.ts";
import { SCALING, SCALING_GUIDE } from "./pages.ts";
import { later, type Row, scaling } from "./row.ts";

const STRANGER = "i-0dddddddddddddddd";
const AutoScalingGroupName = "{workers}";
const HOOKS = `${SCALING}/API_PutLifecycleHook.html`;
const HOOK_GUIDE = `${SCALING_GUIDE}/lifecycle-hooks-overview.html`;
const TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING";
const TOKEN = "bcd2f1b8-9a78-44d3-8a7a-4dd07d7cf635";

type HookSettings = Partial<Parameters<typeof scaling<"putLifecycleHook">>[1]>;
const hook = (settings: HookSettings = {}) =>
  scaling("PutLifecycleHook", {
    AutoScalingGroupName,
    LifecycleHookName: "drain",
    LifecycleTransition: TERMINATING,
    ...settings,
  });
const hooks = scaling("DescribeLifecycleHooks", { AutoScalingGroupName });
const described = (hook: Expected): Expected => ({ LifecycleHooks: [hook] });
const terminate = (shrinks = true, InstanceId = "{member}") =>
  scaling("TerminateInstanceInAutoScalingGroup", { InstanceId, ShouldDecrementDesiredCapacity: shrinks });
const member = (InstanceIds = ["{member}"]) => scaling("DescribeAutoScalingInstances", { InstanceIds });
const inState = (LifecycleState: string): Expected => ({ AutoScalingInstances: [{ LifecycleState }] });
const about = { AutoScalingGroupName, LifecycleHookName: "drain" };
const complete = (LifecycleActionResult: string, by: { InstanceId?: string; LifecycleActionToken?: string } = {}) =>
  scaling("CompleteLifecycleAction", { ...about, LifecycleActionResult, InstanceId: "{member}", ...by });
const heartbeat = scaling("RecordLifecycleActionHeartbeat", { ...about, InstanceId: "{member}" });
const groups = (settings: Parameters<typeof scaling<"describeAutoScalingGroups">>[1] = {}) =>
  scaling("DescribeAutoScalingGroups", { AutoScalingGroupNames: [AutoScalingGroupName], ...settings });
const group = (group: Expected): Expected => ({ AutoScalingGroups: [group] });
const standby = (ShouldDecrementDesiredCapacity: boolean, InstanceIds = ["{member}"]) =>
  scaling("EnterStandby", { AutoScalingGroupName, InstanceIds, ShouldDecrementDesiredCapacity });
const capacity = (DesiredCapacity: number) => scaling("SetDesiredCapacity", { AutoScalingGroupName, DesiredCapacity });

const HELD = [hook(), terminate()];

/** Lifecycle hooks and the actions of them. */
export const hookRows: readonly Row[] = [
  {
    says: "a hook waits for an hour by default, for 48 hours in all, and then abandons",
    page: HOOKS,
    quote: "The range is from 30 to 7200 seconds. The default value is 3600 seconds (1 hour).",
    given: [hook()],
    call: hooks,
    answers: described({
      LifecycleHookName: "drain",
      LifecycleTransition: TERMINATING,
      HeartbeatTimeout: 3_600,
      GlobalTimeout: 172_800,
      DefaultResult: "ABANDON",
      NotificationTargetARN: ABSENT,
    }),
  },
  {
    says: "a shorter hook waits for 100 times its heartbeat in all",
    page: `${SCALING}/API_LifecycleHook.html`,
    quote: "The maximum is 172800 seconds (48 hours) or 100 times HeartbeatTimeout, whichever is smaller.",
    given: [hook({ HeartbeatTimeout: 300 })],
    call: hooks,
    answers: described({ HeartbeatTimeout: 300, GlobalTimeout: 30_000 }),
  },
  ...[29, 7_201].map(
    (HeartbeatTimeout): Row => ({
      says: `a heartbeat timeout of ${HeartbeatTimeout} seconds is refused`,
      page: HOOKS,
      quote: "The range is from 30 to 7200 seconds.",
      call: hook({ HeartbeatTimeout }),
      answers: refused("ValidationError"),
    }),
  ),
  {
    says: "a new hook needs a transition",
    page: HOOKS,
    quote: "Required for new lifecycle hooks, but optional when updating existing hooks.",
    call: hook({ LifecycleTransition: undefined }),
    answers: refused("ValidationError"),
  },
  {
    says: "a hook that is there is changed, and keeps its transition",
    page: HOOKS,
    given: [hook(), hook({ LifecycleTransition: undefined, HeartbeatTimeout: 60 })],
    call: hooks,
    answers: described({ LifecycleTransition: TERMINATING, HeartbeatTimeout: 60 }),
  },
  {
    says: "a transition that does not exist is refused",
    page: HOOKS,
    call: hook({ LifecycleTransition: "autoscaling:EC2_INSTANCE_SLEEPING" }),
    answers: refused("ValidationError"),
  },
  {
    says: "a default result that does not exist is refused",
    page: HOOKS,
    quote: "The default value is ABANDON. Valid values: CONTINUE | ABANDON",
    call: hook({ DefaultResult: "WAIT" }),
    answers: refused("ValidationError"),
  },
  {
    says: "a hook of an unknown group is refused",
    page: HOOKS,
    call: hook({ AutoScalingGroupName: "gone" }),
    answers: refused("ValidationError"),
  },
  {
    says: "the hooks of an unknown group are refused",
    page: `${SCALING}/API_DescribeLifecycleHooks.html`,
    call: scaling("DescribeLifecycleHooks", { AutoScalingGroupName: "gone" }),
    answers: refused("ValidationError"),
  },
  {
    says: "a hook that is not there is not listed",
    page: `${SCALING}/API_DescribeLifecycleHooks.html`,
    given: [hook()],
    call: scaling("DescribeLifecycleHooks", { AutoScalingGroupName, LifecycleHookNames: ["other"] }),
    answers: { LifecycleHooks: [] },
  },
  {
    says: "a hook holds an instance that is to terminate",
    page: HOOK_GUIDE,
    given: [...HELD, later(60)],
    call: member(),
    answers: inState("Terminating:Wait"),
  },
  {
    says: "the default result ends the wait when the heartbeat is over",
    page: HOOK_GUIDE,
    given: [hook({ HeartbeatTimeout: 60 }), terminate(), later(61)],
    call: member(),
    answers: inState("Terminating:Proceed"),
  },
  {
    says: "a heartbeat begins the time anew",
    page: `${SCALING}/API_RecordLifecycleActionHeartbeat.html`,
    quote:
      "Records a heartbeat for the lifecycle action associated with the specified token or instance. This extends the timeout by the length of time defined using the PutLifecycleHook API call.",
    given: [hook({ HeartbeatTimeout: 60 }), terminate(), later(50), heartbeat, later(50)],
    call: member(),
    answers: inState("Terminating:Wait"),
  },
  {
    says: "heartbeats end with the global timeout",
    page: HOOK_GUIDE,
    given: [
      hook({ HeartbeatTimeout: 30 }),
      terminate(),
      ...Array.from({ length: 148 }, () => [later(20), heartbeat]).flat(),
      later(40),
    ],
    call: heartbeat,
    answers: refused("ValidationError", { message: /^No active Lifecycle Action found with instance ID/ }),
  },
  {
    says: "a completed action lets the instance go",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    quote: "Completes the lifecycle action for the specified token or instance with the specified result.",
    given: [...HELD, complete("CONTINUE")],
    call: member(),
    answers: inState("Terminating:Proceed"),
  },
  {
    says: "an action is completed once",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    given: [...HELD, complete("CONTINUE")],
    call: complete("CONTINUE"),
    answers: refused("ValidationError", { message: /^No active Lifecycle Action found with instance ID/ }),
  },
  {
    says: "an action that never began is not completed",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    given: [hook()],
    call: complete("CONTINUE"),
    answers: refused("ValidationError"),
  },
  {
    says: "a result that does not exist is refused",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    quote: "The action for the group to take. You can specify either CONTINUE or ABANDON.",
    given: HELD,
    call: complete("MAYBE"),
    answers: refused("ValidationError"),
  },
  {
    says: "an unknown token is refused",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    given: HELD,
    call: complete("CONTINUE", { LifecycleActionToken: TOKEN }),
    answers: refused("ValidationError"),
  },
];

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
  },
  {
    says: "more than 100 groups a page are refused",
    page: `${SCALING}/API_DescribeAutoScalingGroups.html`,
    quote: "The default value is 50 and the maximum value is 100.",
    call: groups({ MaxRecords: 101 }),
    answers: refused("ValidationError"),
  },
  {
    says: "a filter that does not exist is refused",
    page: `${SCALING}/API_Filter.html`,
    call: groups({ Filters: [{ Name: "colour", Values: ["red"] }] }),
    answers: refused("ValidationError"),
  },
  {
    says: "a token that was not given is refused",
    page: `${SCALING}/API_DescribeAutoScalingGroups.html`,
    quote: "The NextToken value is not valid.",
    call: groups({ NextToken: "nonsense" }),
    answers: refused("InvalidNextToken"),
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
    quote: "You can specify up to 50 IDs.",
    call: member(Array(51).fill(STRANGER)),
    answers: refused("ValidationError"),
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
  },
  {
    says: "an instance of no group is not terminated",
    page: `${SCALING}/API_TerminateInstanceInAutoScalingGroup.html`,
    call: terminate(true, "{node}"),
    answers: refused("ValidationError"),
  },
  {
    says: "a capacity above the maximum is refused",
    page: `${SCALING_GUIDE}/asg-capacity-limits.html`,
    call: capacity(4),
    answers: refused("ValidationError", { message: /above max value 3/ }),
  },
  {
    says: "a capacity below the minimum is refused",
    page: `${SCALING_GUIDE}/asg-capacity-limits.html`,
    call: capacity(0),
    answers: refused("ValidationError", { message: /below min value 1/ }),
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
  },
  {
    says: "standby must leave the minimum",
    page: `${SCALING}/API_EnterStandby.html`,
    quote:
      "If you choose to decrement the desired capacity of the Auto Scaling group, the instances can enter standby as long as the desired capacity of the Auto Scaling group after the instances are placed into standby is equal to or greater than the minimum capacity of the group.",
    call: standby(true, ["{member}", "{second}"]),
    answers: refused("ValidationError"),
  },
  {
    says: "more than 20 instances are refused",
    page: `${SCALING}/API_EnterStandby.html`,
    quote: "The IDs of the instances. You can specify up to 20 instances.",
    call: standby(true, Array(21).fill("{member}")),
    answers: refused("ValidationError"),
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
  },
  {
    says: "a member can be said to be unhealthy",
    page: `${SCALING}/API_SetInstanceHealth.html`,
    given: [hook(), later(600), scaling("SetInstanceHealth", { InstanceId: "{member}", HealthStatus: "Unhealthy" })],
    call: member(),
    answers: { AutoScalingInstances: [{ HealthStatus: "UNHEALTHY" }] },
  },
  {
    says: "a health that does not exist is refused",
    page: `${SCALING}/API_SetInstanceHealth.html`,
    call: scaling("SetInstanceHealth", { InstanceId: "{member}", HealthStatus: "Tired" }),
    answers: refused("ValidationError"),
  },
  {
    says: "the activities of an unknown group are refused",
    page: `${SCALING}/API_DescribeScalingActivities.html`,
    call: scaling("DescribeScalingActivities", { AutoScalingGroupName: "gone" }),
    answers: refused("ValidationError"),
  },
  {
    says: "the newest activity comes first",
    page: `${SCALING}/API_DescribeScalingActivities.html`,
    given: [terminate(), later(60)],
    call: scaling("DescribeScalingActivities", { AutoScalingGroupName, MaxRecords: 1 }),
    answers: { Activities: [{ Description: "Terminating EC2 instance: {member}" }] },
  },
];
