import { A_DATE, ABSENT, count, type Expected, refused } from "./comparison.ts";
import { CLASSIC, CLASSIC_GUIDE } from "./pages.ts";
import { BREAKS_DOWN, classic, differs, type Row, UNCHECKED } from "./row.ts";

const DRAINING = `${CLASSIC_GUIDE}/config-conn-drain.html`;
const CREATE = `${CLASSIC}/API_CreateLoadBalancer.html`;
const LoadBalancerName = "{classic}";

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

/** Classic load balancers, and their attributes. */
export const classicBalancerRows: readonly Row[] = [
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
    moto: differs("missing", { LoadBalancerAttributes: { ConnectionDraining: { Timeout: ABSENT } } }),
  },
  {
    says: "a new load balancer mitigates desynchronization in its defensive mode",
    page: `${CLASSIC}/API_AdditionalAttribute.html`,
    quote: "The default is defensive.",
    given: [create()],
    call: classic("DescribeLoadBalancerAttributes", { LoadBalancerName: "new" }),
    answers: {
      LoadBalancerAttributes: { AdditionalAttributes: [{ Key: "elb.http.desyncmitigationmode", Value: "defensive" }] },
    },
    moto: differs("missing", { LoadBalancerAttributes: { AdditionalAttributes: [] } }),
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
      moto: UNCHECKED,
    }),
  ),
  {
    says: "an idle timeout of 0 seconds is refused",
    page: `${CLASSIC}/API_ConnectionSettings.html`,
    call: set({ ConnectionSettings: { IdleTimeout: 0 } }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
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
    moto: differs("other value", { LoadBalancerDescriptions: [{ AvailabilityZones: [] }] }),
  },
  {
    says: "a new load balancer checks its first port by TCP",
    page: `${CLASSIC_GUIDE}/elb-healthchecks.html`,
    given: [create()],
    call: classic("DescribeLoadBalancers", { LoadBalancerNames: ["new"] }),
    answers: described({
      HealthCheck: { Target: "TCP:30080", Interval: 30, Timeout: 5, UnhealthyThreshold: 2, HealthyThreshold: 10 },
    }),
    moto: differs("missing", { LoadBalancerDescriptions: [{ HealthCheck: ABSENT }] }),
  },
  {
    says: "the DNS name has the load balancer's name, a number and the Region",
    page: `${CLASSIC_GUIDE}/elb-internet-facing-load-balancers.html`,
    call: create(),
    answers: { DNSName: /^new-\d+\.eu-west-1\.elb\.amazonaws\.com$/ },
    moto: differs("other value", { DNSName: "new.us-east-1.elb.amazonaws.com" }),
  },
  {
    says: "the DNS name of an internal one begins with internal",
    page: `${CLASSIC_GUIDE}/elb-internal-load-balancers.html`,
    call: create({ Scheme: "internal" }),
    answers: { DNSName: /^internal-new-\d+\.eu-west-1\.elb\.amazonaws\.com$/ },
    moto: differs("other value", { DNSName: "new.us-east-1.elb.amazonaws.com" }),
  },
  {
    says: "the same load balancer may be created twice",
    page: `${CLASSIC}/Welcome.html`,
    quote: "If you repeat an operation, it succeeds with a 200 OK response code.",
    given: [create()],
    call: create(),
    answers: { DNSName: /new-/ },
    moto: differs("refuses", refused("DuplicateLoadBalancerName")),
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
    moto: UNCHECKED,
  },
  {
    says: "a name that begins with a hyphen is refused",
    page: CREATE,
    quote: "must contain only alphanumeric characters or hyphens, and cannot begin or end with a hyphen.",
    call: create({ LoadBalancerName: "-bad_name!" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a name of 33 characters is refused",
    page: CREATE,
    quote: "must have a maximum of 32 characters",
    call: create({ LoadBalancerName: "a".repeat(33) }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "an unknown subnet is refused",
    page: CREATE,
    quote: "One or more of the specified subnets do not exist.",
    call: create({ Subnets: ["subnet-0dddddddddddddddd"] }),
    answers: refused("SubnetNotFound"),
    moto: differs("other error", refused("InvalidSubnetID.NotFound")),
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
    moto: differs("missing", { NextMarker: ABSENT }),
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
    moto: UNCHECKED,
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
    moto: UNCHECKED,
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
    moto: UNCHECKED,
  },
  {
    says: "an interval of 4 seconds is refused",
    page: `${CLASSIC}/API_HealthCheck.html`,
    call: check({ Interval: 4, Timeout: 2 }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
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
    moto: BREAKS_DOWN,
  },
];
