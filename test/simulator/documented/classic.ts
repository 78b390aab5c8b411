import { A_DATE, ABSENT, count, type Expected, refused } from "./comparison.ts";
import { CLASSIC, CLASSIC_GUIDE } from "./pages.ts";
import { classic, ec2, later, type Row } from "./row.ts";

const STRANGER = "i-0dddddddddddddddd";
const HEALTH = `${CLASSIC}/API_DescribeInstanceHealth.html`;
const STATE = `${CLASSIC}/API_InstanceState.html`;
const DRAINING = `${CLASSIC_GUIDE}/config-conn-drain.html`;
const CREATE = `${CLASSIC}/API_CreateLoadBalancer.html`;
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
const create = (settings: Partial<Parameters<typeof classic<"createLoadBalancer">>[1]> = {}) =>
  classic("CreateLoadBalancer", {
    LoadBalancerName: "new",
    Listeners: [{ Protocol: "HTTP", LoadBalancerPort: 80, InstancePort: 30_080 }],
    Subnets: ["{subnetA}"],
    ...settings,
  });
const listener = (InstancePort: number) =>
  classic("CreateLoadBalancerListeners", {
    LoadBalancerName,
    Listeners: [{ Protocol: "HTTP", LoadBalancerPort: 80, InstanceProtocol: "HTTP", InstancePort }],
  });
const state = (state: Expected): Expected => ({ InstanceStates: [state] });
const described = (balancer: Expected): Expected => ({ LoadBalancerDescriptions: [balancer] });
const check = (settings: Partial<Parameters<typeof classic<"configureHealthCheck">>[1]["HealthCheck"]>) =>
  classic("ConfigureHealthCheck", {
    LoadBalancerName,
    HealthCheck: {
      Target: "HTTP:30080/healthz",
      Interval: 10,
      Timeout: 5,
      HealthyThreshold: 2,
      UnhealthyThreshold: 2,
      ...settings,
    },
  });

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
  },
  {
    says: "an instance that is registered twice is listed once",
    page: `${CLASSIC}/Welcome.html`,
    quote: "All Elastic Load Balancing operations are idempotent, which means that they complete at most one time.",
    given: [register("{node}"), register("{node}")],
    call: classic("DescribeLoadBalancers", { LoadBalancerNames: [LoadBalancerName] }),
    answers: described({ Instances: instances("{node}") }),
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
  },
  {
    says: "an instance without requests in flight does not drain for long",
    page: DRAINING,
    given: [...IN_SERVICE, drainFor(300), deregister("{node}"), later(5)],
    call: health("{node}"),
    answers: state({ InstanceId: "{node}", ...NOT_REGISTERED }),
  },
  {
    says: "without draining an instance is out of service at once",
    page: DRAINING,
    quote: "Instance is not currently registered with the LoadBalancer.",
    given: [...IN_SERVICE, deregister("{node}")],
    call: health("{node}"),
    answers: state(NOT_REGISTERED),
  },
  {
    says: "the answer to a deregistration lists the instances that remain",
    page: `${CLASSIC}/API_DeregisterInstancesFromLoadBalancer.html`,
    quote: "The remaining instances registered with the load balancer.",
    given: [register("{node}", "{other}")],
    call: deregister("{node}"),
    answers: { Instances: instances("{other}") },
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
  },
  {
    says: "an unknown instance is not registered",
    page: `${CLASSIC}/API_RegisterInstancesWithLoadBalancer.html`,
    quote: "The specified endpoint is not valid.",
    call: register(STRANGER),
    answers: refused("InvalidInstance"),
  },
  {
    says: "a stopped instance is out of service",
    page: STATE,
    quote: "Instance is in stopped state.",
    given: [...IN_SERVICE, ec2("StopInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: health("{node}"),
    answers: state({ State: "OutOfService", ReasonCode: "Instance", Description: "Instance is in stopped state." }),
  },
  {
    says: "the health of a terminated instance is not told",
    page: HEALTH,
    quote: "The state of terminated instances is not returned.",
    given: [...IN_SERVICE, ec2("TerminateInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: health("{node}"),
    answers: { InstanceStates: [] },
  },
  {
    says: "the health of an instance that was never registered is told",
    page: HEALTH,
    quote:
      "If instances are specified, their state is returned even if they are no longer registered with the load balancer.",
    call: health("{node}"),
    answers: state(NOT_REGISTERED),
  },
  {
    says: "the health of an unknown instance is refused",
    page: HEALTH,
    call: health(STRANGER),
    answers: refused("InvalidInstance"),
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
    }),
  ),
  {
    says: "the attributes of an unknown load balancer are refused",
    page: `${CLASSIC}/API_DescribeLoadBalancerAttributes.html`,
    call: classic("DescribeLoadBalancerAttributes", { LoadBalancerName: "gone" }),
    answers: refused("LoadBalancerNotFound"),
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
  },
  {
    says: "a new load balancer does not drain connections",
    page: DRAINING,
    given: [create()],
    call: classic("DescribeLoadBalancerAttributes", { LoadBalancerName: "new" }),
    answers: {
      LoadBalancerAttributes: {
        ConnectionDraining: { Enabled: false, Timeout: 300 },
        ConnectionSettings: { IdleTimeout: 60 },
        CrossZoneLoadBalancing: { Enabled: false },
        AccessLog: { Enabled: false },
      },
    },
  },
  {
    says: "draining is on for as long as is set",
    page: `${CLASSIC}/API_ModifyLoadBalancerAttributes.html`,
    call: drainFor(120),
    answers: { LoadBalancerAttributes: { ConnectionDraining: { Enabled: true, Timeout: 120 } } },
  },
  {
    says: "draining that is turned on without a time takes 300 seconds",
    page: DRAINING,
    given: [set({ ConnectionDraining: { Enabled: true } })],
    call: classic("DescribeLoadBalancerAttributes", { LoadBalancerName }),
    answers: { LoadBalancerAttributes: { ConnectionDraining: { Enabled: true, Timeout: 300 } } },
  },
  ...[0, 3_601].map(
    (seconds): Row => ({
      says: `draining for ${seconds} seconds is refused`,
      page: DRAINING,
      call: drainFor(seconds),
      answers: refused("InvalidConfigurationRequest", { status: 409 }),
    }),
  ),
  {
    says: "an idle timeout of 0 seconds is refused",
    page: `${CLASSIC}/API_ConnectionSettings.html`,
    call: set({ ConnectionSettings: { IdleTimeout: 0 } }),
    answers: refused("ValidationError"),
  },
  {
    says: "a change leaves the attributes that it does not mention",
    page: `${CLASSIC}/API_ModifyLoadBalancerAttributes.html`,
    given: [set({ ConnectionSettings: { IdleTimeout: 30 } }), drainFor(60)],
    call: classic("DescribeLoadBalancerAttributes", { LoadBalancerName }),
    answers: {
      LoadBalancerAttributes: { ConnectionSettings: { IdleTimeout: 30 }, ConnectionDraining: { Timeout: 60 } },
    },
  },
  {
    says: "a load balancer is described with what it was made of",
    page: `${CLASSIC}/API_DescribeLoadBalancers.html`,
    given: [create()],
    call: classic("DescribeLoadBalancers", { LoadBalancerNames: ["new"] }),
    answers: {
      LoadBalancerDescriptions: [
        {
          LoadBalancerName: "new",
          Scheme: "internet-facing",
          VPCId: "{vpc}",
          Subnets: ["{subnetA}"],
          AvailabilityZones: ["{zone}"],
          Instances: [],
          CreatedTime: A_DATE,
          ListenerDescriptions: [
            { Listener: { Protocol: "HTTP", LoadBalancerPort: 80, InstanceProtocol: "HTTP", InstancePort: 30_080 } },
          ],
        },
      ],
    },
  },
  {
    says: "a new load balancer checks its first port by TCP",
    page: `${CLASSIC_GUIDE}/elb-healthchecks.html`,
    given: [create()],
    call: classic("DescribeLoadBalancers", { LoadBalancerNames: ["new"] }),
    answers: described({
      HealthCheck: { Target: "TCP:30080", Interval: 30, Timeout: 5, UnhealthyThreshold: 2, HealthyThreshold: 10 },
    }),
  },
  {
    says: "the DNS name has the load balancer's name, a number and the Region",
    page: `${CLASSIC_GUIDE}/elb-internet-facing-load-balancers.html`,
    call: create(),
    answers: { DNSName: /^new-\d+\.eu-west-1\.elb\.amazonaws\.com$/ },
  },
  {
    says: "the DNS name of an internal one begins with internal",
    page: `${CLASSIC_GUIDE}/elb-internal-load-balancers.html`,
    call: create({ Scheme: "internal" }),
    answers: { DNSName: /^internal-new-\d+\.eu-west-1\.elb\.amazonaws\.com$/ },
  },
  {
    says: "the same load balancer may be created twice",
    page: `${CLASSIC}/Welcome.html`,
    quote: "If you repeat an operation, it succeeds with a 200 OK response code.",
    given: [create()],
    call: create(),
    answers: { DNSName: /new-/ },
  },
  {
    says: "another load balancer of the same name is refused",
    page: CREATE,
    quote: "The specified load balancer name already exists for this account.",
    given: [create()],
    call: create({ Scheme: "internal" }),
    answers: refused("DuplicateLoadBalancerName"),
  },
  {
    says: "a scheme that does not exist is refused",
    page: CREATE,
    call: create({ Scheme: "outward" }),
    answers: refused("InvalidScheme"),
  },
  {
    says: "a name that begins with a hyphen is refused",
    page: CREATE,
    quote: "must contain only alphanumeric characters or hyphens, and cannot begin or end with a hyphen.",
    call: create({ LoadBalancerName: "-bad_name!" }),
    answers: refused("ValidationError"),
  },
  {
    says: "a name of 33 characters is refused",
    page: CREATE,
    quote: "must have a maximum of 32 characters",
    call: create({ LoadBalancerName: "a".repeat(33) }),
    answers: refused("ValidationError"),
  },
  {
    says: "an unknown subnet is refused",
    page: CREATE,
    quote: "One or more of the specified subnets do not exist.",
    call: create({ Subnets: ["subnet-0dddddddddddddddd"] }),
    answers: refused("SubnetNotFound"),
  },
  {
    says: "an unknown load balancer is refused",
    page: `${CLASSIC}/API_DescribeLoadBalancers.html`,
    call: classic("DescribeLoadBalancers", { LoadBalancerNames: ["gone"] }),
    answers: refused("LoadBalancerNotFound"),
  },
  {
    says: "the last page has an empty marker",
    page: `${CLASSIC}/API_DescribeLoadBalancers.html`,
    quote: "If there are no additional results, the string is empty.",
    given: [create()],
    call: classic("DescribeLoadBalancers", {}),
    answers: { LoadBalancerDescriptions: count(1), NextMarker: "" },
  },
  {
    says: "a page has as many load balancers as are asked for",
    page: `${CLASSIC}/API_DescribeLoadBalancers.html`,
    quote: "The maximum number of results to return with this call (a number from 1 to 400). The default is 400.",
    given: [create(), create({ LoadBalancerName: "second" })],
    call: classic("DescribeLoadBalancers", { PageSize: 1 }),
    answers: { LoadBalancerDescriptions: [{ LoadBalancerName: "new" }], NextMarker: /./ },
  },
  {
    says: "a page of 401 is refused",
    page: `${CLASSIC}/API_DescribeLoadBalancers.html`,
    call: classic("DescribeLoadBalancers", { PageSize: 401 }),
    answers: refused("ValidationError"),
  },
  {
    says: "a load balancer that is gone is deleted again with success",
    page: `${CLASSIC}/API_DeleteLoadBalancer.html`,
    quote:
      "If the load balancer does not exist or has already been deleted, the call to DeleteLoadBalancer still succeeds.",
    call: classic("DeleteLoadBalancer", { LoadBalancerName: "gone" }),
    answers: {},
  },
  {
    says: "tags of a load balancer that is gone fail the whole call",
    page: `${CLASSIC}/API_DescribeTags.html`,
    call: classic("DescribeTags", { LoadBalancerNames: [LoadBalancerName, "gone"] }),
    answers: refused("LoadBalancerNotFound"),
  },
  {
    says: "tags of 21 load balancers are refused",
    page: `${CLASSIC}/API_DescribeTags.html`,
    call: classic("DescribeTags", { LoadBalancerNames: Array(21).fill(LoadBalancerName) }),
    answers: refused("ValidationError"),
  },
  {
    says: "the value of a tag is replaced",
    page: `${CLASSIC}/API_AddTags.html`,
    quote: "If a tag with the same key is already associated with the load balancer, AddTags updates its value.",
    given: [
      create({ Tags: [{ Key: "a", Value: "1" }] }),
      classic("AddTags", { LoadBalancerNames: ["new"], Tags: [{ Key: "a", Value: "2" }] }),
    ],
    call: classic("DescribeTags", { LoadBalancerNames: ["new"] }),
    answers: { TagDescriptions: [{ LoadBalancerName: "new", Tags: [{ Key: "a", Value: "2" }] }] },
  },
  {
    says: "the settings of health checks are answered",
    page: `${CLASSIC}/API_ConfigureHealthCheck.html`,
    quote: "The updated health check.",
    call: check({}),
    answers: { HealthCheck: { Target: "HTTP:30080/healthz", Interval: 10, Timeout: 5, HealthyThreshold: 2 } },
  },
  {
    says: "the timeout of health checks can be set",
    page: `${CLASSIC}/API_HealthCheck.html`,
    call: check({ Interval: 30, Timeout: 20 }),
    answers: { HealthCheck: { Interval: 30, Timeout: 20 } },
  },
  {
    says: "a timeout as long as the interval is refused",
    page: `${CLASSIC}/API_HealthCheck.html`,
    quote: "This value must be less than the Interval value.",
    call: check({ Interval: 10, Timeout: 10 }),
    answers: refused("ValidationError"),
  },
  {
    says: "an interval of 4 seconds is refused",
    page: `${CLASSIC}/API_HealthCheck.html`,
    call: check({ Interval: 4, Timeout: 2 }),
    answers: refused("ValidationError"),
  },
  {
    says: "a listener may be created twice",
    page: `${CLASSIC}/API_CreateLoadBalancerListeners.html`,
    quote:
      "If a listener with the specified port does not already exist, it is created; otherwise, the properties of the new listener must match the properties of the existing listener.",
    call: listener(30_080),
    answers: {},
  },
  {
    says: "another listener on the same port is refused",
    page: `${CLASSIC}/API_CreateLoadBalancerListeners.html`,
    quote:
      "A listener already exists for the specified load balancer name and port, but with a different instance port, protocol, or SSL certificate.",
    call: listener(30_081),
    answers: refused("DuplicateListener"),
  },
  {
    says: "an account has 20 classic load balancers by default",
    page: `${CLASSIC}/API_DescribeAccountLimits.html`,
    quote: "Describes the current Elastic Load Balancing resource limits for your AWS account.",
    call: classic("DescribeAccountLimits", {}),
    answers: {
      Limits: [
        { Name: "classic-listeners", Max: "100" },
        { Name: "classic-load-balancers", Max: "20" },
        { Name: "classic-registered-instances", Max: "1000" },
      ],
      NextMarker: ABSENT,
    },
  },
];
