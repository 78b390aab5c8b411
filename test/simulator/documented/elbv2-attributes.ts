import { attributes, including, lacking, refused } from "./comparison.ts";
import { ALB_GUIDE, ELBV2, GWLB_GUIDE, NLB_GUIDE } from "./pages.ts";
import { elbv2, type Row } from "./row.ts";

const GROUP = `${ELBV2}/API_TargetGroupAttribute.html`;
const BALANCER = `${ELBV2}/API_LoadBalancerAttribute.html`;
const LISTENER = `${ELBV2}/API_ListenerAttribute.html`;

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
const ofBalancer = (LoadBalancerArn: string) => elbv2("DescribeLoadBalancerAttributes", { LoadBalancerArn });
const pairs = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([Key, Value]) => ({ Key, Value }));
const setGroup = (values: Readonly<Record<string, string>>, TargetGroupArn = "{made}") =>
  elbv2("ModifyTargetGroupAttributes", { TargetGroupArn, Attributes: pairs(values) });
const setBalancer = (LoadBalancerArn: string, values: Readonly<Record<string, string>>) =>
  elbv2("ModifyLoadBalancerAttributes", { LoadBalancerArn, Attributes: pairs(values) });
const createBalancer = (Type: string, Scheme = "internet-facing") =>
  elbv2(
    "CreateLoadBalancer",
    { Name: "new", Type, Scheme, Subnets: ["{subnetA}", "{subnetB}"] },
    { balancer: "LoadBalancers.0.LoadBalancerArn" },
  );

const DELAY = "deregistration_delay.timeout_seconds";
const TERMINATION = "deregistration_delay.connection_termination.enabled";
const UNHEALTHY = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";
const FAILOVER = ["target_failover.on_deregistration", "target_failover.on_unhealthy"] as const;

/** A value that AWS takes, or not, of an attribute of a group of the protocol. */
const taken = (key: string, value: string, protocol: string, quote: string): Row => ({
  says: `${key} may be ${value} for ${protocol}`,
  page: GROUP,
  quote,
  given: [create(protocol)],
  call: setGroup({ [key]: value }),
  answers: attributes({ [key]: value }),
});
const notTaken = (key: string, value: string, protocol: string, quote: string): Row => ({
  says: `${key} may not be ${value} for ${protocol}`,
  page: GROUP,
  quote,
  given: [create(protocol)],
  call: setGroup({ [key]: value }),
  answers: refused("ValidationError"),
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
  },
  {
    says: "connections by UDP are terminated at the end of the delay by default",
    page: GROUP,
    quote: "For new UDP/TCP_UDP target groups the default is true. Otherwise, the default is false.",
    given: [create("UDP")],
    call: ofGroup(),
    answers: attributes({ [TERMINATION]: "true" }),
  },
  {
    says: "client addresses are not preserved for targets by address and TCP",
    page: GROUP,
    quote:
      "The default is disabled if the target group type is IP address and the target group protocol is TCP or TLS.",
    given: [create("TCP", "ip")],
    call: ofGroup(),
    answers: attributes({ "preserve_client_ip.enabled": "false" }),
  },
  {
    says: "a group of a GWLB begins with these attributes",
    page: `${GWLB_GUIDE}/edit-target-group-attributes.html`,
    given: [create("GENEVE")],
    call: ofGroup(),
    answers: attributes({ [DELAY]: "300", [FAILOVER[0]]: "no_rebalance", [FAILOVER[1]]: "no_rebalance" }),
  },
  {
    says: "a group of functions has no delay",
    page: GROUP,
    quote: "If the target is a Lambda function, this attribute is not supported.",
    given: [functions],
    call: ofGroup(),
    answers: { Attributes: lacking({ Key: DELAY }) },
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
  taken(DELAY, "3600", "HTTP", SECONDS_3600),
  notTaken(DELAY, "3601", "HTTP", SECONDS_3600),
  notTaken(DELAY, "-1", "HTTP", SECONDS_3600),
  notTaken(DELAY, "soon", "HTTP", SECONDS_3600),
  notTaken("stickiness.enabled", "maybe", "HTTP", TRUE_OR_FALSE),
  notTaken("stickiness.type", "bogus", "HTTP", "lb_cookie and app_cookie for Application Load Balancers."),
  notTaken("stickiness.type", "lb_cookie", "TCP", "source_ip for Network Load Balancers."),
  taken("slow_start.duration_seconds", "30", "HTTP", "The range is 30-900 seconds (15 minutes)."),
  notTaken("slow_start.duration_seconds", "29", "HTTP", "The range is 30-900 seconds (15 minutes)."),
  notTaken("slow_start.duration_seconds", "901", "HTTP", "The range is 30-900 seconds (15 minutes)."),
  notTaken(
    "target_group_health.dns_failover.minimum_healthy_targets.percentage",
    "101",
    "HTTP",
    "The possible values are off or an integer from 1 to 100.",
  ),
  notTaken(
    "load_balancing.cross_zone.enabled",
    "maybe",
    "TCP",
    "The value is true, false or use_load_balancer_configuration.",
  ),
  notTaken(INTERVAL, "360001", "TCP", "The range is 0-360000 seconds."),
  {
    says: "the interval of unhealthy targets needs their connections to be kept",
    page: GROUP,
    quote:
      "Note: This attribute can only be configured when target_health_state.unhealthy.connection_termination.enabled is false.",
    given: [create("TCP")],
    call: setGroup({ [INTERVAL]: "60" }),
    answers: refused("InvalidConfigurationRequest"),
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
  },
  {
    says: "client addresses by UDP are always preserved",
    page: GROUP,
    quote: "Client IP preservation can't be disabled for UDP and TCP_UDP target groups.",
    given: [create("UDP")],
    call: setGroup({ "preserve_client_ip.enabled": "false" }),
    answers: refused("InvalidConfigurationRequest"),
  },
  {
    says: "anomaly mitigation needs weighted random routing",
    page: GROUP,
    quote: "Only available when load_balancing.algorithm.type is weighted_random.",
    given: [create("HTTP")],
    call: setGroup({ "load_balancing.algorithm.anomaly_mitigation": "on" }),
    answers: refused("InvalidConfigurationRequest"),
  },
  {
    says: "the failover of a GWLB is the same for both reasons",
    page: GROUP,
    quote: "The value you set for both attributes must be the same.",
    given: [create("GENEVE")],
    call: setGroup({ [FAILOVER[0]]: "rebalance" }),
    answers: refused("InvalidConfigurationRequest"),
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
  },
  {
    says: "an unknown attribute is refused, and the others are not set either",
    page: `${ELBV2}/API_ModifyTargetGroupAttributes.html`,
    quote: "The requested configuration is not valid.",
    given: [create("HTTP")],
    call: setGroup({ [DELAY]: "10", "deregistration_delay.timeout": "10" }),
    answers: refused("InvalidConfigurationRequest"),
  },
];

const set = (Key: string, Value: string, quote: string): Row => ({
  says: `${Key} of an ALB may not be ${Value}`,
  page: BALANCER,
  quote,
  call: setBalancer("{alb}", { [Key]: Value }),
  answers: refused("ValidationError"),
});

/** Attributes of load balancers and listeners. */
export const balancerAttributeRows: readonly Row[] = [
  {
    says: "an ALB begins with these attributes",
    page: BALANCER,
    quote: "The idle timeout value, in seconds. The valid range is 1-4000 seconds. The default is 60 seconds.",
    given: [createBalancer("application")],
    call: ofBalancer("{balancer}"),
    answers: attributes({
      "deletion_protection.enabled": "false",
      "load_balancing.cross_zone.enabled": "true",
      "access_logs.s3.enabled": "false",
      "connection_logs.s3.enabled": "false",
      "idle_timeout.timeout_seconds": "60",
      "client_keep_alive.seconds": "3600",
      "routing.http2.enabled": "true",
      "routing.http.drop_invalid_header_fields.enabled": "false",
      "routing.http.preserve_host_header.enabled": "false",
      "routing.http.xff_client_port.enabled": "false",
      "routing.http.xff_header_processing.mode": "append",
      "routing.http.desync_mitigation_mode": "defensive",
      "waf.fail_open.enabled": "false",
      "zonal_shift.config.enabled": "false",
      "ipv6.deny_all_igw_traffic": "false",
    }),
  },
  {
    says: "an NLB does not send across zones by default",
    page: BALANCER,
    quote: "The default for Network Load Balancers and Gateway Load Balancers is false.",
    given: [createBalancer("network")],
    call: ofBalancer("{balancer}"),
    answers: attributes({
      "load_balancing.cross_zone.enabled": "false",
      "deletion_protection.enabled": "false",
      "dns_record.client_routing_policy": "any_availability_zone",
      "zonal_shift.config.enabled": "false",
    }),
  },
  {
    says: "an NLB has no idle timeout",
    page: BALANCER,
    quote: "The following attributes are supported by only Application Load Balancers:",
    given: [createBalancer("network")],
    call: ofBalancer("{balancer}"),
    answers: { Attributes: lacking({ Key: "idle_timeout.timeout_seconds" }) },
  },
  {
    says: "a GWLB begins with these attributes",
    page: BALANCER,
    given: [createBalancer("gateway")],
    call: ofBalancer("{balancer}"),
    answers: attributes({ "deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "false" }),
  },
  {
    says: "an internal load balancer denies traffic of internet gateways",
    page: BALANCER,
    quote: "It is set to false for internet-facing load balancers and true for internal load balancers",
    given: [createBalancer("application", "internal")],
    call: ofBalancer("{balancer}"),
    answers: attributes({ "ipv6.deny_all_igw_traffic": "true" }),
  },
  {
    says: "an ALB sends across zones, which cannot be changed",
    page: BALANCER,
    quote: "The default for Application Load Balancers is true, and can't be changed.",
    call: setBalancer("{alb}", { "load_balancing.cross_zone.enabled": "false" }),
    answers: refused("InvalidConfigurationRequest"),
  },
  {
    says: "an NLB may send across zones",
    page: `${NLB_GUIDE}/edit-load-balancer-attributes.html`,
    call: setBalancer("{nlb}", { "load_balancing.cross_zone.enabled": "true" }),
    answers: attributes({ "load_balancing.cross_zone.enabled": "true" }),
  },
  {
    says: "the answer to a change has the attributes that were not changed",
    page: `${ALB_GUIDE}/edit-load-balancer-attributes.html`,
    call: setBalancer("{alb}", { "idle_timeout.timeout_seconds": "4000" }),
    answers: attributes({ "idle_timeout.timeout_seconds": "4000", "routing.http2.enabled": "true" }),
  },
  set("idle_timeout.timeout_seconds", "4001", "The valid range is 1-4000 seconds."),
  set("idle_timeout.timeout_seconds", "0", "The valid range is 1-4000 seconds."),
  set("client_keep_alive.seconds", "59", "The valid range is 60-604800 seconds."),
  set("client_keep_alive.seconds", "604801", "The valid range is 60-604800 seconds."),
  set("deletion_protection.enabled", "maybe", "Indicates whether deletion protection is enabled."),
  set("routing.http.xff_header_processing.mode", "bogus", "The possible values are append, preserve, and remove."),
  set("routing.http.desync_mitigation_mode", "bogus", "The possible values are monitor, defensive, and strictest."),
  {
    says: "an unknown attribute is refused",
    page: `${ELBV2}/API_ModifyLoadBalancerAttributes.html`,
    quote: "The requested configuration is not valid.",
    call: setBalancer("{alb}", { "idle_timeout.seconds": "30" }),
    answers: refused("InvalidConfigurationRequest"),
  },
  {
    says: "access logs need a bucket",
    page: BALANCER,
    quote: "This attribute is required if access logs are enabled.",
    call: setBalancer("{alb}", { "access_logs.s3.enabled": "true" }),
    answers: refused("InvalidConfigurationRequest"),
  },
  {
    says: "a load balancer that is protected cannot be deleted",
    page: `${ELBV2}/API_DeleteLoadBalancer.html`,
    quote: "You can't delete a load balancer if deletion protection is enabled.",
    given: [setBalancer("{alb}", { "deletion_protection.enabled": "true" })],
    call: elbv2("DeleteLoadBalancer", { LoadBalancerArn: "{alb}" }),
    answers: refused("OperationNotPermitted"),
  },
  {
    says: "flows through an NLB are idle for 350 seconds at most by default",
    page: LISTENER,
    quote: "The tcp idle timeout value, in seconds. The valid range is 60-6000 seconds. The default is 350 seconds.",
    call: elbv2("DescribeListenerAttributes", { ListenerArn: "{flowsListener}" }),
    answers: { Attributes: including({ Key: "tcp.idle_timeout.seconds", Value: "350" }) },
  },
  {
    says: "the idle timeout of an NLB's listener may be 6000 seconds",
    page: LISTENER,
    call: elbv2("ModifyListenerAttributes", {
      ListenerArn: "{flowsListener}",
      Attributes: [{ Key: "tcp.idle_timeout.seconds", Value: "6000" }],
    }),
    answers: attributes({ "tcp.idle_timeout.seconds": "6000" }),
  },
  {
    says: "an idle timeout of 59 seconds is refused",
    page: LISTENER,
    quote: "The valid range is 60-6000 seconds.",
    call: elbv2("ModifyListenerAttributes", {
      ListenerArn: "{flowsListener}",
      Attributes: [{ Key: "tcp.idle_timeout.seconds", Value: "59" }],
    }),
    answers: refused("ValidationError"),
  },
  {
    says: "a listener of an ALB sends the header Server by default",
    page: LISTENER,
    quote: "Enables you to allow or remove the HTTP response server header.",
    call: elbv2("DescribeListenerAttributes", { ListenerArn: "{webListener}" }),
    answers: { Attributes: including({ Key: "routing.http.response.server.enabled", Value: "true" }) },
  },
];
