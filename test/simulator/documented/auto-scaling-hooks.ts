import { AutoScalingGroupName, hook, member, TERMINATING, terminate } from "./auto-scaling-calls.ts";
import { ABSENT, type Expected, refused } from "./comparison.ts";
import { SCALING, SCALING_GUIDE } from "./pages.ts";
import { BREAKS_DOWN, differs, later, type Row, scaling, UNCHECKED } from "./row.ts";

const HOOKS = `${SCALING}/API_PutLifecycleHook.html`;
const HOOK_GUIDE = `${SCALING_GUIDE}/lifecycle-hooks-overview.html`;
const TOKEN = "bcd2f1b8-9a78-44d3-8a7a-4dd07d7cf635";

const hooks = scaling("DescribeLifecycleHooks", { AutoScalingGroupName });
const described = (hook: Expected): Expected => ({ LifecycleHooks: [hook] });
const inState = (LifecycleState: string): Expected => ({ AutoScalingInstances: [{ LifecycleState }] });
const about = { AutoScalingGroupName, LifecycleHookName: "drain" };
const complete = (LifecycleActionResult: string, by: { InstanceId?: string; LifecycleActionToken?: string } = {}) =>
  scaling("CompleteLifecycleAction", { ...about, LifecycleActionResult, InstanceId: "{member}", ...by });
const heartbeat = scaling("RecordLifecycleActionHeartbeat", { ...about, InstanceId: "{member}" });

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
    moto: differs("other value", {
      LifecycleHooks: [{ NotificationTargetARN: "arn:aws:sqs:us-east-1:123456789012:my-queue" }],
    }),
  },
  {
    says: "a shorter hook waits for 100 times its heartbeat in all",
    page: `${SCALING}/API_LifecycleHook.html`,
    quote: "The maximum is 172800 seconds (48 hours) or 100 times HeartbeatTimeout, whichever is smaller.",
    given: [hook({ HeartbeatTimeout: 300 })],
    call: hooks,
    answers: described({ HeartbeatTimeout: 300, GlobalTimeout: 30_000 }),
    moto: differs("other value", { LifecycleHooks: [{ GlobalTimeout: 172800 }] }),
  },
  ...[29, 7_201].map(
    (HeartbeatTimeout): Row => ({
      says: `a heartbeat timeout of ${HeartbeatTimeout} seconds is refused`,
      page: HOOKS,
      quote: "The range is from 30 to 7200 seconds.",
      call: hook({ HeartbeatTimeout }),
      answers: refused("ValidationError"),
      moto: UNCHECKED,
    }),
  ),
  {
    says: "a new hook needs a transition",
    page: HOOKS,
    quote: "Required for new lifecycle hooks, but optional when updating existing hooks.",
    call: hook({ LifecycleTransition: undefined }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a hook that is there is changed, and keeps its transition",
    page: HOOKS,
    given: [hook(), hook({ LifecycleTransition: undefined, HeartbeatTimeout: 60 })],
    call: hooks,
    answers: described({ LifecycleTransition: TERMINATING, HeartbeatTimeout: 60 }),
    moto: differs("missing", { LifecycleHooks: [{ LifecycleTransition: ABSENT }] }),
  },
  {
    says: "a transition that does not exist is refused",
    page: HOOKS,
    call: hook({ LifecycleTransition: "autoscaling:EC2_INSTANCE_SLEEPING" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a default result that does not exist is refused",
    page: HOOKS,
    quote: "The default value is ABANDON. Valid values: CONTINUE | ABANDON",
    call: hook({ DefaultResult: "WAIT" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a hook of an unknown group is refused",
    page: HOOKS,
    call: hook({ AutoScalingGroupName: "gone" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "the hooks of an unknown group are refused",
    page: `${SCALING}/API_DescribeLifecycleHooks.html`,
    call: scaling("DescribeLifecycleHooks", { AutoScalingGroupName: "gone" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
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
    moto: differs("timeless", { AutoScalingInstances: [] }),
  },
  {
    says: "the default result ends the wait when the heartbeat is over",
    page: HOOK_GUIDE,
    given: [hook({ HeartbeatTimeout: 60 }), terminate(), later(61)],
    call: member(),
    answers: inState("Terminating:Proceed"),
    moto: differs("timeless", { AutoScalingInstances: [] }),
  },
  {
    says: "a heartbeat begins the time anew",
    page: `${SCALING}/API_RecordLifecycleActionHeartbeat.html`,
    quote:
      "Records a heartbeat for the lifecycle action associated with the specified token or instance. This extends the timeout by the length of time defined using the PutLifecycleHook API call.",
    given: [hook({ HeartbeatTimeout: 60 }), terminate(), later(50), heartbeat, later(50)],
    call: member(),
    answers: inState("Terminating:Wait"),
    moto: BREAKS_DOWN,
  },
  {
    says: "heartbeats end with the global timeout",
    page: HOOK_GUIDE,
    given: [
      hook({ HeartbeatTimeout: 30 }),
      terminate(),
      ...Array.from({ length: 103 }, () => [later(29), heartbeat]).flat(),
      later(40),
    ],
    call: heartbeat,
    answers: refused("ValidationError", { message: /^No active Lifecycle Action found with instance ID/ }),
    moto: BREAKS_DOWN,
  },
  {
    says: "a completed action lets the instance go",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    quote: "Completes the lifecycle action for the specified token or instance with the specified result.",
    given: [...HELD, complete("CONTINUE")],
    call: member(),
    answers: inState("Terminating:Proceed"),
    moto: BREAKS_DOWN,
  },
  {
    says: "an action is completed once",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    given: [...HELD, complete("CONTINUE")],
    call: complete("CONTINUE"),
    answers: refused("ValidationError", { message: /^No active Lifecycle Action found with instance ID/ }),
    moto: BREAKS_DOWN,
  },
  {
    says: "an action that never began is not completed",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    given: [hook()],
    call: complete("CONTINUE"),
    answers: refused("ValidationError"),
    moto: BREAKS_DOWN,
  },
  {
    says: "a result that does not exist is refused",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    quote: "The action for the group to take. You can specify either CONTINUE or ABANDON.",
    given: HELD,
    call: complete("MAYBE"),
    answers: refused("ValidationError"),
    moto: BREAKS_DOWN,
  },
  {
    says: "an unknown token is refused",
    page: `${SCALING}/API_CompleteLifecycleAction.html`,
    given: HELD,
    call: complete("CONTINUE", { LifecycleActionToken: TOKEN }),
    answers: refused("ValidationError"),
    moto: BREAKS_DOWN,
  },
];
