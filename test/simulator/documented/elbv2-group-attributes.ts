import { attributes, including, lacking, refused } from "./comparison.ts";
import { ELBV2, GWLB_GUIDE, NLB_GUIDE } from "./pages.ts";
import { BREAKS_DOWN, type Difference, differs, elbv2, type Row, UNCHECKED } from "./row.ts";

const GROUP = `${ELBV2}/API_TargetGroupAttribute.html`;

const create = (Protocol: string, TargetType = "instance") =>
  elbv2(
    "CreateTargetGroup",
    { Name: "new", Protocol, Port: Protocol === "GENEVE" ? 6_081 : 80, VpcId: "{vpc}", TargetType },
    { made: "TargetGroups.0.TargetGroupArn" },
  );
const functions = elbv2(
  "CreateTargetGroup",
  { Name: "functions", TargetType: "lambda" },
  { made: "TargetGroups.0.TargetGroupArn" },
);
const ofGroup = (TargetGroupArn = "{made}") => elbv2("DescribeTargetGroupAttributes", { TargetGroupArn });
const pairs = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([Key, Value]) => ({ Key, Value }));
const setGroup = (values: Readonly<Record<string, string>>, TargetGroupArn = "{made}") =>
  elbv2("ModifyTargetGroupAttributes", { TargetGroupArn, Attributes: pairs(values) });

const DELAY = "deregistration_delay.timeout_seconds";
const TERMINATION = "deregistration_delay.connection_termination.enabled";
const UNHEALTHY = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";
const FAILOVER = ["target_failover.on_deregistration", "target_failover.on_unhealthy"] as const;

/** A value that AWS takes, or not, of an attribute of a group of the protocol. */
const taken = (key: string, value: string, protocol: string, quote: string, moto?: Difference): Row => ({
  says: `${key} may be ${value} for ${protocol}`,
  page: GROUP,
  quote,
  given: [create(protocol)],
  call: setGroup({ [key]: value }),
  answers: attributes({ [key]: value }),
  ...(moto === undefined ? {} : { moto }),
});
const notTaken = (key: string, value: string, protocol: string, quote: string, moto?: Difference): Row => ({
  says: `${key} may not be ${value} for ${protocol}`,
  page: GROUP,
  quote,
  given: [create(protocol)],
  call: setGroup({ [key]: value }),
  answers: refused("ValidationError"),
  ...(moto === undefined ? {} : { moto }),
});
const SECONDS_3600 = "The range is 0-3600 seconds. The default value is 300 seconds.";
const TRUE_OR_FALSE = "Indicates whether target stickiness is enabled. The value is true or false.";

/** Attributes of target groups. */
export const groupAttributeRows: readonly Row[] = [
  {
    says: "a group of an ALB begins with these attributes",
    page: GROUP,
    quote: "The value is round_robin, least_outstanding_requests, or weighted_random. The default is round_robin.",
    given: [create("HTTP")],
    call: ofGroup(),
    answers: attributes({
      [DELAY]: "300",
      "stickiness.enabled": "false",
      "stickiness.type": "lb_cookie",
      "stickiness.lb_cookie.duration_seconds": "86400",
      "stickiness.app_cookie.duration_seconds": "86400",
      "slow_start.duration_seconds": "0",
      "load_balancing.algorithm.type": "round_robin",
      "load_balancing.algorithm.anomaly_mitigation": "off",
      "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
      "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
      "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
      "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
      "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    }),
    moto: differs("missing", {
      Attributes: lacking(
        { Key: "stickiness.lb_cookie.duration_seconds" },
        { Key: "stickiness.app_cookie.duration_seconds" },
        { Key: "load_balancing.algorithm.anomaly_mitigation" },
        { Key: "target_group_health.dns_failover.minimum_healthy_targets.count" },
        { Key: "target_group_health.dns_failover.minimum_healthy_targets.percentage" },
        { Key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count" },
        { Key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage" },
      ),
    }),
  },
  {
    says: "a group of an NLB begins with these attributes",
    page: `${NLB_GUIDE}/edit-target-group-attributes.html`,
    given: [create("TCP")],
    call: ofGroup(),
    answers: attributes({
      [DELAY]: "300",
      [TERMINATION]: "false",
      [UNHEALTHY]: "true",
      [INTERVAL]: "0",
      "preserve_client_ip.enabled": "true",
      "proxy_protocol_v2.enabled": "false",
      "stickiness.type": "source_ip",
      "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    }),
    moto: differs("missing", {
      Attributes: lacking(
        { Key: "deregistration_delay.connection_termination.enabled" },
        { Key: "target_health_state.unhealthy.connection_termination.enabled" },
        { Key: "target_health_state.unhealthy.draining_interval_seconds" },
        { Key: "preserve_client_ip.enabled" },
        { Key: "proxy_protocol_v2.enabled" },
      ),
    }),
  },
  {
    says: "connections by UDP are terminated at the end of the delay by default",
    page: GROUP,
    quote: "For new UDP/TCP_UDP target groups the default is true. Otherwise, the default is false.",
    given: [create("UDP")],
    call: ofGroup(),
    answers: attributes({ [TERMINATION]: "true" }),
    moto: differs("missing", { Attributes: lacking({ Key: "deregistration_delay.connection_termination.enabled" }) }),
  },
  {
    says: "client addresses are not preserved for targets by address and TCP",
    page: GROUP,
    quote:
      "The default is disabled if the target group type is IP address and the target group protocol is TCP or TLS.",
    given: [create("TCP", "ip")],
    call: ofGroup(),
    answers: attributes({ "preserve_client_ip.enabled": "false" }),
    moto: differs("missing", { Attributes: lacking({ Key: "preserve_client_ip.enabled" }) }),
  },
  {
    says: "a group of a GWLB begins with these attributes",
    page: `${GWLB_GUIDE}/edit-target-group-attributes.html`,
    given: [create("GENEVE")],
    call: ofGroup(),
    answers: attributes({ [DELAY]: "300", [FAILOVER[0]]: "no_rebalance", [FAILOVER[1]]: "no_rebalance" }),
    moto: differs("missing", {
      Attributes: lacking({ Key: "target_failover.on_deregistration" }, { Key: "target_failover.on_unhealthy" }),
    }),
  },
  {
    says: "a group of functions has no delay",
    page: GROUP,
    quote: "If the target is a Lambda function, this attribute is not supported.",
    given: [functions],
    call: ofGroup(),
    answers: { Attributes: lacking({ Key: DELAY }) },
    moto: differs("other value", { Attributes: including({ Key: "deregistration_delay.timeout_seconds" }) }),
  },
  {
    says: "the delay of a group of functions cannot be set",
    page: GROUP,
    quote: "If the target is a Lambda function, this attribute is not supported.",
    given: [functions],
    call: setGroup({ [DELAY]: "10" }),
    answers: refused("InvalidConfigurationRequest"),
  },
  taken(DELAY, "0", "HTTP", SECONDS_3600),
  taken(DELAY, "3600", "HTTP", SECONDS_3600, differs("refuses", refused("ValidationError"))),
  notTaken(DELAY, "3601", "HTTP", SECONDS_3600),
  notTaken(DELAY, "-1", "HTTP", SECONDS_3600),
  notTaken(DELAY, "soon", "HTTP", SECONDS_3600, BREAKS_DOWN),
  notTaken("stickiness.enabled", "maybe", "HTTP", TRUE_OR_FALSE, UNCHECKED),
  notTaken("stickiness.type", "bogus", "HTTP", "lb_cookie and app_cookie for Application Load Balancers.", UNCHECKED),
  notTaken(
    "stickiness.type",
    "lb_cookie",
    "TCP",
    "source_ip for Network Load Balancers.",
    differs("other error", refused("InvalidConfigurationRequest")),
  ),
  taken("slow_start.duration_seconds", "30", "HTTP", "The range is 30-900 seconds (15 minutes)."),
  notTaken("slow_start.duration_seconds", "29", "HTTP", "The range is 30-900 seconds (15 minutes).", UNCHECKED),
  notTaken("slow_start.duration_seconds", "901", "HTTP", "The range is 30-900 seconds (15 minutes).", UNCHECKED),
  notTaken(
    "target_group_health.dns_failover.minimum_healthy_targets.percentage",
    "101",
    "HTTP",
    "The possible values are off or an integer from 1 to 100.",
    UNCHECKED,
  ),
  notTaken(
    "load_balancing.cross_zone.enabled",
    "maybe",
    "TCP",
    "The value is true, false or use_load_balancer_configuration.",
    UNCHECKED,
  ),
  notTaken(INTERVAL, "360001", "TCP", "The range is 0-360000 seconds.", UNCHECKED),
  {
    says: "the interval of unhealthy targets needs their connections to be kept",
    page: GROUP,
    quote:
      "Note: This attribute can only be configured when target_health_state.unhealthy.connection_termination.enabled is false.",
    given: [create("TCP")],
    call: setGroup({ [INTERVAL]: "60" }),
    answers: refused("InvalidConfigurationRequest"),
    moto: UNCHECKED,
  },
  {
    says: "both attributes about unhealthy targets are set at once",
    page: `${NLB_GUIDE}/edit-target-group-attributes.html`,
    given: [create("TCP")],
    call: setGroup({ [UNHEALTHY]: "false", [INTERVAL]: "60" }),
    answers: attributes({ [UNHEALTHY]: "false", [INTERVAL]: "60" }),
  },
  {
    says: "connections by UDP to unhealthy targets cannot be terminated",
    page: GROUP,
    quote: "This attribute can't be enabled for UDP and TCP_UDP target groups.",
    given: [create("UDP")],
    call: setGroup({ [UNHEALTHY]: "true" }),
    answers: refused("InvalidConfigurationRequest"),
    moto: UNCHECKED,
  },
  {
    says: "client addresses by UDP are always preserved",
    page: GROUP,
    quote: "Client IP preservation can't be disabled for UDP and TCP_UDP target groups.",
    given: [create("UDP")],
    call: setGroup({ "preserve_client_ip.enabled": "false" }),
    answers: refused("InvalidConfigurationRequest"),
    moto: UNCHECKED,
  },
  {
    says: "anomaly mitigation needs weighted random routing",
    page: GROUP,
    quote: "Only available when load_balancing.algorithm.type is weighted_random.",
    given: [create("HTTP")],
    call: setGroup({ "load_balancing.algorithm.anomaly_mitigation": "on" }),
    answers: refused("InvalidConfigurationRequest"),
    moto: UNCHECKED,
  },
  {
    says: "the failover of a GWLB is the same for both reasons",
    page: GROUP,
    quote: "The value you set for both attributes must be the same.",
    given: [create("GENEVE")],
    call: setGroup({ [FAILOVER[0]]: "rebalance" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "the failover of a GWLB is set for both reasons at once",
    page: GROUP,
    given: [create("GENEVE")],
    call: setGroup({ [FAILOVER[0]]: "rebalance", [FAILOVER[1]]: "rebalance" }),
    answers: attributes({ [FAILOVER[0]]: "rebalance", [FAILOVER[1]]: "rebalance" }),
  },
  {
    says: "an attribute of NLBs is unknown to a group of an ALB",
    page: GROUP,
    quote: "The following attributes are supported only by Network Load Balancers:",
    given: [create("HTTP")],
    call: setGroup({ [TERMINATION]: "true" }),
    answers: refused("InvalidConfigurationRequest"),
    moto: UNCHECKED,
  },
  {
    says: "an unknown attribute is refused, and the others are not set either",
    page: `${ELBV2}/API_ModifyTargetGroupAttributes.html`,
    quote: "The requested configuration is not valid.",
    given: [create("HTTP")],
    call: setGroup({ [DELAY]: "10", "deregistration_delay.timeout": "10" }),
    answers: refused("InvalidConfigurationRequest"),
    moto: UNCHECKED,
  },
];
