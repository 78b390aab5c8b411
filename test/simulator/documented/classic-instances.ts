import { count, type Expected, refused } from "./comparison.ts";
import { CLASSIC, CLASSIC_GUIDE } from "./pages.ts";
import { BREAKS_DOWN, classic, differs, ec2, later, type Row, STRANGER, UNCHECKED } from "./row.ts";

const HEALTH = `${CLASSIC}/API_DescribeInstanceHealth.html`;
const STATE = `${CLASSIC}/API_InstanceState.html`;
const DRAINING = `${CLASSIC_GUIDE}/config-conn-drain.html`;
const LoadBalancerName = "{classic}";

const instances = (...ids: readonly string[]) => ids.map((InstanceId) => ({ InstanceId }));
const register = (...ids: readonly string[]) =>
  classic("RegisterInstancesWithLoadBalancer", { LoadBalancerName, Instances: instances(...ids) });
const deregister = (...ids: readonly string[]) =>
  classic("DeregisterInstancesFromLoadBalancer", { LoadBalancerName, Instances: instances(...ids) });
const health = (...ids: readonly string[]) =>
  classic("DescribeInstanceHealth", {
    LoadBalancerName,
    ...(ids.length === 0 ? {} : { Instances: instances(...ids) }),
  });
const set = (attributes: Parameters<typeof classic<"modifyLoadBalancerAttributes">>[1]["LoadBalancerAttributes"]) =>
  classic("ModifyLoadBalancerAttributes", { LoadBalancerName, LoadBalancerAttributes: attributes });
const drainFor = (Timeout: number) => set({ ConnectionDraining: { Enabled: true, Timeout } });
const state = (state: Expected): Expected => ({ InstanceStates: [state] });
const described = (balancer: Expected): Expected => ({ LoadBalancerDescriptions: [balancer] });

const IN_SERVICE = [register("{node}"), later(60)];
const NOT_REGISTERED = {
  State: "OutOfService",
  ReasonCode: "Instance",
  Description: "Instance is not currently registered with the LoadBalancer.",
};

/** Classic load balancers. */
export const classicRows: readonly Row[] = [
  {
    says: "the answer to a registration lists all instances",
    page: `${CLASSIC}/API_RegisterInstancesWithLoadBalancer.html`,
    quote: "The updated list of instances for the load balancer.",
    given: [register("{node}")],
    call: register("{other}"),
    answers: { Instances: instances("{node}", "{other}") },
    moto: differs("other value", { Instances: [] }),
  },
  {
    says: "an instance that is registered twice is listed once",
    page: `${CLASSIC}/Welcome.html`,
    quote: "All Elastic Load Balancing operations are idempotent, which means that they complete at most one time.",
    given: [register("{node}"), register("{node}")],
    call: classic("DescribeLoadBalancers", { LoadBalancerNames: [LoadBalancerName] }),
    answers: described({ Instances: instances("{node}") }),
    moto: differs("other value", {
      LoadBalancerDescriptions: [{ Instances: [{ InstanceId: "{node}" }, { InstanceId: "{node}" }] }],
    }),
  },
  {
    says: "the registration of an instance takes a moment",
    page: STATE,
    quote: "Instance registration is still in progress.",
    given: [register("{node}")],
    call: health(),
    answers: state({
      InstanceId: "{node}",
      State: "OutOfService",
      ReasonCode: "ELB",
      Description: "Instance registration is still in progress.",
    }),
    moto: differs("timeless", { InstanceStates: [{ State: "InService", ReasonCode: "N/A", Description: "N/A" }] }),
  },
  {
    says: "an instance that passes its checks is in service",
    page: STATE,
    given: IN_SERVICE,
    call: health(),
    answers: state({ InstanceId: "{node}", State: "InService", ReasonCode: "N/A", Description: "N/A" }),
  },
  {
    says: "a deregistered instance that drains is still said to be in service",
    page: DRAINING,
    given: [...IN_SERVICE, drainFor(300), deregister("{node}")],
    call: health("{node}"),
    answers: state({ State: "InService", Description: "Instance deregistration currently in progress." }),
    moto: differs("timeless", { InstanceStates: [{ State: "Unknown", Description: "N/A" }] }),
  },
  {
    says: "an instance without requests in flight does not drain for long",
    page: DRAINING,
    given: [...IN_SERVICE, drainFor(300), deregister("{node}"), later(5)],
    call: health("{node}"),
    answers: state({ InstanceId: "{node}", ...NOT_REGISTERED }),
    moto: differs("timeless", { InstanceStates: [{ State: "Unknown", ReasonCode: "N/A", Description: "N/A" }] }),
  },
  {
    says: "without draining an instance is out of service at once",
    page: DRAINING,
    quote: "Instance is not currently registered with the LoadBalancer.",
    given: [...IN_SERVICE, deregister("{node}")],
    call: health("{node}"),
    answers: state(NOT_REGISTERED),
    moto: differs("timeless", { InstanceStates: [{ State: "Unknown", ReasonCode: "N/A", Description: "N/A" }] }),
  },
  {
    says: "the answer to a deregistration lists the instances that remain",
    page: `${CLASSIC}/API_DeregisterInstancesFromLoadBalancer.html`,
    quote: "The remaining instances registered with the load balancer.",
    given: [register("{node}", "{other}")],
    call: deregister("{node}"),
    answers: { Instances: instances("{other}") },
    moto: differs("other value", { Instances: [] }),
  },
  {
    says: "a deregistered instance is listed no more",
    page: `${CLASSIC}/API_DeregisterInstancesFromLoadBalancer.html`,
    quote: "You can use DescribeLoadBalancers to verify that the instance is deregistered from the load balancer.",
    given: [register("{node}"), deregister("{node}")],
    call: classic("DescribeLoadBalancers", { LoadBalancerNames: [LoadBalancerName] }),
    answers: described({ Instances: [] }),
  },
  {
    says: "deregistering an instance twice succeeds",
    page: `${CLASSIC}/Welcome.html`,
    quote: "If you repeat an operation, it succeeds with a 200 OK response code.",
    given: [...IN_SERVICE, deregister("{node}")],
    call: deregister("{node}"),
    answers: { Instances: [] },
  },
  {
    says: "an unknown instance is not deregistered",
    page: `${CLASSIC}/API_DeregisterInstancesFromLoadBalancer.html`,
    quote: "The specified endpoint is not valid.",
    call: deregister(STRANGER),
    answers: refused("InvalidInstance"),
    moto: UNCHECKED,
  },
  {
    says: "an unknown instance is not registered",
    page: `${CLASSIC}/API_RegisterInstancesWithLoadBalancer.html`,
    quote: "The specified endpoint is not valid.",
    call: register(STRANGER),
    answers: refused("InvalidInstance"),
    moto: UNCHECKED,
  },
  {
    says: "a stopped instance is out of service",
    page: STATE,
    quote: "Instance is in stopped state.",
    given: [...IN_SERVICE, ec2("StopInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: health("{node}"),
    answers: state({ State: "OutOfService", ReasonCode: "Instance", Description: "Instance is in stopped state." }),
    moto: differs("timeless", { InstanceStates: [{ ReasonCode: "N/A", Description: "N/A" }] }),
  },
  {
    says: "the health of a terminated instance is not told",
    page: HEALTH,
    quote: "The state of terminated instances is not returned.",
    given: [...IN_SERVICE, ec2("TerminateInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: health("{node}"),
    answers: { InstanceStates: [] },
    moto: differs("timeless", { InstanceStates: count(1) }),
  },
  {
    says: "the health of an instance that was never registered is told",
    page: HEALTH,
    quote:
      "If instances are specified, their state is returned even if they are no longer registered with the load balancer.",
    call: health("{node}"),
    answers: state(NOT_REGISTERED),
    moto: differs("other value", { InstanceStates: [{ State: "Unknown", ReasonCode: "N/A", Description: "N/A" }] }),
  },
  {
    says: "the health of an unknown instance is refused",
    page: HEALTH,
    call: health(STRANGER),
    answers: refused("InvalidInstance"),
    moto: UNCHECKED,
  },
  ...(
    ["RegisterInstancesWithLoadBalancer", "DeregisterInstancesFromLoadBalancer", "DescribeInstanceHealth"] as const
  ).map(
    (action): Row => ({
      says: `${action} is refused for an unknown load balancer`,
      page: `${CLASSIC}/API_${action}.html`,
      quote: "The specified load balancer does not exist.",
      call: classic(action, { LoadBalancerName: "gone", Instances: instances("{node}") }),
      answers: refused("LoadBalancerNotFound"),
      ...(action === "DescribeInstanceHealth" ? {} : { moto: BREAKS_DOWN }),
    }),
  ),
  {
    says: "the attributes of an unknown load balancer are refused",
    page: `${CLASSIC}/API_DescribeLoadBalancerAttributes.html`,
    call: classic("DescribeLoadBalancerAttributes", { LoadBalancerName: "gone" }),
    answers: refused("LoadBalancerNotFound"),
    moto: BREAKS_DOWN,
  },
  {
    says: "an instance in a subnet that is detached is out of service, and stays registered",
    page: `${CLASSIC}/API_DetachLoadBalancerFromSubnets.html`,
    quote:
      "After a subnet is removed, all EC2 instances registered with the load balancer in the removed subnet go into the OutOfService state.",
    given: [
      ...IN_SERVICE,
      classic("AttachLoadBalancerToSubnets", { LoadBalancerName, Subnets: ["{subnetB}"] }),
      classic("DetachLoadBalancerFromSubnets", { LoadBalancerName, Subnets: ["{subnetA}"] }),
    ],
    call: health(),
    answers: state({ InstanceId: "{node}", State: "OutOfService" }),
    moto: differs("timeless", { InstanceStates: [{ State: "InService" }] }),
  },
];
