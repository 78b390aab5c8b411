import { ABSENT, refused } from "./comparison.ts";
import {
  DRAINING,
  deregister,
  FLOWS_IN_SERVICE,
  GONE_GROUP,
  health,
  healths,
  IN_SERVICE,
  inState,
  NODE,
  NOT_REGISTERED,
  register,
} from "./elbv2-calls.ts";
import { ALB_GUIDE, ELBV2, NLB_GUIDE } from "./pages.ts";
import { differs, ec2, elbv2, later, type Row, STRANGER, UNCHECKED } from "./row.ts";

const STATES = `${ALB_GUIDE}/target-group-health-checks.html`;

const byAddress = (Name: string, more: { Protocol?: string; IpAddressType?: string } = {}) =>
  elbv2(
    "CreateTargetGroup",
    { Name, Protocol: "HTTP", Port: 80, VpcId: "{vpc}", TargetType: "ip", ...more },
    { addresses: "TargetGroups.0.TargetGroupArn" },
  );

/** Registering and deregistering targets. */
export const targetRows: readonly Row[] = [
  {
    says: "deregistering a target that is not registered succeeds",
    page: `${ELBV2}/API_DeregisterTargets.html`,
    quote: "If the specified target does not exist, the action returns successfully.",
    call: deregister("{web}", NODE),
    answers: {},
    moto: differs("refuses", refused("InvalidTarget")),
  },
  {
    says: "deregistering a target twice succeeds",
    page: `${ELBV2}/Welcome.html`,
    quote: "If you repeat an operation, it succeeds.",
    given: [...IN_SERVICE, deregister("{web}", NODE)],
    call: deregister("{web}", NODE),
    answers: {},
    moto: differs("refuses", refused("InvalidTarget")),
  },
  {
    says: "a target on a port of its own stays when it is deregistered without that port",
    page: `${ELBV2}/API_DeregisterTargets.html`,
    quote:
      "If you specified a port override when you registered a target, you must specify both the target ID and the port when you deregister it.",
    given: [register("{web}", { ...NODE, Port: 31_000 }), later(120), deregister("{web}", NODE)],
    call: health("{web}"),
    answers: healths({ Target: { Port: 31_000 }, TargetHealth: { State: "healthy" } }),
    moto: differs("other value", { TargetHealthDescriptions: [] }),
  },
  {
    says: "one of two ports of a target is deregistered alone",
    page: `${ELBV2}/API_DeregisterTargets.html`,
    given: [
      register("{web}", { ...NODE, Port: 31_000 }, { ...NODE, Port: 32_000 }),
      later(120),
      deregister("{web}", { ...NODE, Port: 31_000 }),
    ],
    call: health("{web}"),
    answers: healths(
      { Target: { Port: 31_000 }, TargetHealth: DRAINING },
      { Target: { Port: 32_000 }, TargetHealth: { State: "healthy" } },
    ),
    moto: differs("other value", { TargetHealthDescriptions: [] }),
  },
  {
    says: "an instance is registered on several ports",
    page: `${ELBV2}/API_RegisterTargets.html`,
    quote:
      "You can register each EC2 instance or IP address with the same target group multiple times using different ports.",
    given: [register("{web}", { ...NODE, Port: 31_000 }, { ...NODE, Port: 32_000 })],
    call: health("{web}"),
    answers: healths({ Target: { Port: 31_000 } }, { Target: { Port: 32_000 } }),
    moto: differs("one port", { TargetHealthDescriptions: [{ Target: { Port: 32000 } }] }),
  },
  {
    says: "a target without a port has the group's",
    page: `${ELBV2}/API_RegisterTargets.html`,
    quote:
      "By default, the load balancer routes requests to registered targets using the protocol and port for the target group.",
    given: [register("{web}", NODE)],
    call: health("{web}"),
    answers: healths({ Target: { Port: 30_080 }, HealthCheckPort: "30080" }),
    moto: differs("one port", { TargetHealthDescriptions: [{ HealthCheckPort: "traffic-port" }] }),
  },
  {
    says: "a target that is registered twice is listed once",
    page: `${ELBV2}/Welcome.html`,
    quote: "All Elastic Load Balancing operations are idempotent, which means that they complete at most one time.",
    given: [register("{web}", NODE), register("{web}", NODE)],
    call: health("{web}"),
    answers: healths({ Target: NODE }),
  },
  {
    says: "the registration of a target takes a moment",
    page: STATES,
    given: [register("{web}", NODE)],
    call: health("{web}"),
    answers: healths({
      TargetHealth: {
        State: "initial",
        Reason: "Elb.RegistrationInProgress",
        Description: "Target registration is in progress",
      },
    }),
    moto: differs("timeless", {
      TargetHealthDescriptions: [{ TargetHealth: { State: "healthy", Reason: ABSENT, Description: ABSENT } }],
    }),
  },
  {
    says: "the first health checks of a target come next",
    page: STATES,
    given: [register("{web}", NODE), later(10)],
    call: health("{web}"),
    answers: healths({
      TargetHealth: {
        State: "initial",
        Reason: "Elb.InitialHealthChecking",
        Description: "Initial health checks in progress",
      },
    }),
    moto: differs("timeless", {
      TargetHealthDescriptions: [{ TargetHealth: { State: "healthy", Reason: ABSENT, Description: ABSENT } }],
    }),
  },
  {
    says: "a target that passes its checks is healthy, without a reason",
    page: STATES,
    given: IN_SERVICE,
    call: health("{web}"),
    answers: healths({ TargetHealth: { State: "healthy", Reason: ABSENT, Description: ABSENT } }),
  },
  {
    says: "one passed check is enough for a new target",
    page: STATES,
    given: [register("{web}", NODE), later(36)],
    call: health("{web}"),
    answers: inState("healthy"),
  },
  {
    says: "a target of an NLB is initial for minutes",
    page: `${NLB_GUIDE}/target-group-health-checks.html`,
    given: [register("{flows}", NODE), later(89)],
    call: health("{flows}"),
    answers: inState("initial"),
    moto: differs("timeless", { TargetHealthDescriptions: [{ TargetHealth: { State: "healthy" } }] }),
  },
  {
    says: "a target of a group that no load balancer uses is unused",
    page: STATES,
    given: [register("{idle}", NODE), later(120)],
    call: health("{idle}"),
    answers: healths({
      TargetHealth: {
        State: "unused",
        Reason: "Target.NotInUse",
        Description: "Target group is not configured to receive traffic from the load balancer",
      },
    }),
    moto: differs("timeless", {
      TargetHealthDescriptions: [{ TargetHealth: { State: "healthy", Reason: ABSENT, Description: ABSENT } }],
    }),
  },
  {
    says: "a target in a zone that the load balancer is not enabled in is unused",
    page: `${NLB_GUIDE}/target-group-health-checks.html`,
    given: [...FLOWS_IN_SERVICE, elbv2("SetSubnets", { LoadBalancerArn: "{nlb}", Subnets: ["{subnetB}"] })],
    call: health("{flows}"),
    answers: healths({
      TargetHealth: {
        State: "unused",
        Reason: "Target.NotInUse",
        Description: "Target is in an Availability Zone that is not enabled for the load balancer",
      },
    }),
    moto: differs("refuses", refused("InvalidConfigurationRequest")),
  },
  {
    says: "a stopped instance stays registered, and is unused",
    page: STATES,
    given: [...IN_SERVICE, ec2("StopInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: health("{web}"),
    answers: healths({
      TargetHealth: { State: "unused", Reason: "Target.InvalidState", Description: "Target is in the stopped state" },
    }),
  },
  {
    says: "an instance that is started again is healthy without another registration",
    page: STATES,
    given: [
      ...IN_SERVICE,
      ec2("StopInstances", { InstanceIds: ["{node}"] }),
      later(60),
      ec2("StartInstances", { InstanceIds: ["{node}"] }),
      later(120),
    ],
    call: health("{web}"),
    answers: inState("healthy"),
  },
  {
    says: "a terminated instance is deregistered by the load balancer",
    page: `${ALB_GUIDE}/target-group-register-targets.html`,
    given: [...IN_SERVICE, ec2("TerminateInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: health("{web}"),
    answers: healths(),
  },
  {
    says: "an instance that was never registered is unused, on the group's port",
    page: STATES,
    call: health("{web}", { Id: STRANGER }),
    answers: healths({ Target: { Id: STRANGER, Port: 30_080 }, TargetHealth: NOT_REGISTERED }),
    moto: differs("one port", { TargetHealthDescriptions: [{ Target: { Port: 80 } }] }),
  },
  {
    says: "a registered instance is not registered on another port",
    page: STATES,
    given: IN_SERVICE,
    call: health("{web}", { ...NODE, Port: 31_999 }),
    answers: healths({ Target: { Port: 31_999 }, TargetHealth: NOT_REGISTERED }),
    moto: differs("one port", {
      TargetHealthDescriptions: [
        { Target: { Port: 30080 }, TargetHealth: { State: "healthy", Reason: ABSENT, Description: ABSENT } },
      ],
    }),
  },
  {
    says: "targets that are named are described in that order",
    page: `${ELBV2}/API_DescribeTargetHealth.html`,
    given: [register("{web}", NODE, { Id: "{other}" })],
    call: health("{web}", { Id: "{other}" }, { Id: STRANGER }, NODE),
    answers: healths({ Target: { Id: "{other}" } }, { Target: { Id: STRANGER } }, { Target: NODE }),
  },
  {
    says: "an empty group has an empty list",
    page: `${ELBV2}/API_DescribeTargetHealth.html`,
    call: health("{web}"),
    answers: healths(),
  },
  {
    says: "a target says that nothing overrides its health",
    page: `${ELBV2}/API_AdministrativeOverride.html`,
    given: IN_SERVICE,
    call: health("{web}"),
    answers: healths({ AdministrativeOverride: { State: "no_override" } }),
    moto: differs("missing", { TargetHealthDescriptions: [{ AdministrativeOverride: ABSENT }] }),
  },
  ...["RegisterTargets", "DeregisterTargets"].map(
    (action): Row => ({
      says: "an unknown group is refused",
      page: `${ELBV2}/API_${action}.html`,
      call: { ...register(GONE_GROUP, { Id: STRANGER }), action },
      answers: refused("TargetGroupNotFound"),
    }),
  ),
  {
    says: "the health of an unknown group is refused",
    page: `${ELBV2}/API_DescribeTargetHealth.html`,
    call: health(GONE_GROUP),
    answers: refused("TargetGroupNotFound"),
  },
  {
    says: "what is no ARN is refused",
    page: `${ELBV2}/CommonErrors.html`,
    call: health("web"),
    answers: refused("ValidationError", { message: /is not a valid target group ARN/ }),
    moto: differs("other error", refused("TargetGroupNotFound")),
  },
  {
    says: "an instance must run to be registered",
    page: `${ELBV2}/API_RegisterTargets.html`,
    quote: "If the target is an EC2 instance, it must be in the running state when you register it.",
    given: [ec2("StopInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: register("{web}", NODE),
    answers: refused("InvalidTarget"),
  },
  {
    says: "a terminated instance is refused",
    page: `${ELBV2}/API_RegisterTargets.html`,
    given: [ec2("TerminateInstances", { InstanceIds: ["{node}"] }), later(60)],
    call: register("{web}", NODE),
    answers: refused("InvalidTarget"),
  },
  {
    says: "an unknown instance is refused, and the others are not registered either",
    page: `${ELBV2}/API_RegisterTargets.html`,
    quote:
      "The specified target does not exist, is not in the same VPC as the target group, or has an unsupported instance type.",
    call: register("{web}", NODE, { Id: STRANGER }),
    answers: refused("InvalidTarget"),
    moto: UNCHECKED,
  },
  {
    says: "what is no instance id is refused",
    page: `${ELBV2}/API_TargetDescription.html`,
    quote: "If the target type of the target group is instance, specify an instance ID.",
    call: register("{web}", { Id: "banana" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "an address is refused by a group of instances",
    page: `${ELBV2}/API_TargetDescription.html`,
    call: register("{web}", { Id: "{nodeIp}" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a zone is refused with an instance",
    page: `${ELBV2}/API_TargetDescription.html`,
    quote: "This parameter is not supported if the target type of the target group is instance or alb.",
    call: register("{web}", { ...NODE, AvailabilityZone: "{zone}" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a port outside of 1-65535 is refused",
    page: `${ELBV2}/API_TargetDescription.html`,
    call: register("{web}", { ...NODE, Port: 65_536 }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "the zone of an address of the VPC is detected",
    page: `${ELBV2}/API_TargetDescription.html`,
    quote:
      "If the target type is ip and the IP address is in a subnet of the VPC for the target group, the Availability Zone is automatically detected and this parameter is optional.",
    given: [byAddress("pods"), register("{addresses}", { Id: "{nodeIp}" })],
    call: health("{addresses}"),
    answers: healths({ Target: { Id: "{nodeIp}", Port: 80, AvailabilityZone: "{zone}" } }),
    moto: differs("missing", { TargetHealthDescriptions: [{ Target: { AvailabilityZone: ABSENT } }] }),
  },
  {
    says: "a publicly routable address is refused",
    page: `${ELBV2}/API_CreateTargetGroup.html`,
    quote: "You can't specify publicly routable IP addresses.",
    given: [byAddress("pods")],
    call: register("{addresses}", { Id: "203.0.113.7" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "an IPv6 address is refused by a group of IPv4 ones",
    page: `${ELBV2}/API_CreateTargetGroup.html`,
    given: [byAddress("pods")],
    call: register("{addresses}", { Id: "2001:db8::1" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "an instance is refused by a group of addresses",
    page: `${ELBV2}/API_TargetDescription.html`,
    quote: "If the target type is ip, specify an IP address.",
    given: [byAddress("pods")],
    call: register("{addresses}", NODE),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a target by QUIC needs a server ID",
    page: `${ELBV2}/API_TargetDescription.html`,
    quote: "This value is required if the protocol is QUIC or TCP_QUIC and can't be used with other protocols.",
    given: [byAddress("quic", { Protocol: "QUIC" })],
    call: register("{addresses}", { Id: "{nodeIp}" }),
    answers: refused("ValidationError"),
    moto: differs("refuses", refused("ValidationError")),
  },
  {
    says: "a server ID is refused without QUIC",
    page: `${ELBV2}/API_TargetDescription.html`,
    call: register("{web}", { ...NODE, QuicServerId: "0x0123456789abcdef" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
];
