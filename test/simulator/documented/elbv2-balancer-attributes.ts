import { attributes, including, lacking, refused } from "./comparison.ts";
import { ALB_GUIDE, ELBV2, NLB_GUIDE } from "./pages.ts";
import { differs, elbv2, type Row, UNCHECKED } from "./row.ts";

const BALANCER = `${ELBV2}/API_LoadBalancerAttribute.html`;
const LISTENER = `${ELBV2}/API_ListenerAttribute.html`;

const ofBalancer = (LoadBalancerArn: string) => elbv2("DescribeLoadBalancerAttributes", { LoadBalancerArn });
const pairs = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([Key, Value]) => ({ Key, Value }));
const setBalancer = (LoadBalancerArn: string, values: Readonly<Record<string, string>>) =>
  elbv2("ModifyLoadBalancerAttributes", { LoadBalancerArn, Attributes: pairs(values) });
const createBalancer = (Type: string, Scheme = "internet-facing") =>
  elbv2(
    "CreateLoadBalancer",
    { Name: "new", Type, Scheme, Subnets: ["{subnetA}", "{subnetB}"] },
    { balancer: "LoadBalancers.0.LoadBalancerArn" },
  );

const set = (Key: string, Value: string, quote: string): Row => ({
  says: `${Key} of an ALB may not be ${Value}`,
  page: BALANCER,
  quote,
  call: setBalancer("{alb}", { [Key]: Value }),
  answers: refused("ValidationError"),
  moto: UNCHECKED,
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
    moto: differs("other value", {
      Attributes: including({ Key: "load_balancing.cross_zone.enabled", Value: "false" }),
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
    moto: differs("missing", {
      Attributes: lacking({ Key: "dns_record.client_routing_policy" }, { Key: "zonal_shift.config.enabled" }),
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
    moto: differs("missing", { Attributes: lacking({ Key: "ipv6.deny_all_igw_traffic" }) }),
  },
  {
    says: "an ALB sends across zones, which cannot be changed",
    page: BALANCER,
    quote: "The default for Application Load Balancers is true, and can't be changed.",
    call: setBalancer("{alb}", { "load_balancing.cross_zone.enabled": "false" }),
    answers: refused("InvalidConfigurationRequest"),
    moto: UNCHECKED,
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
    moto: differs("missing", { Attributes: lacking({ Key: "routing.http2.enabled" }) }),
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
    moto: UNCHECKED,
  },
  {
    says: "a load balancer that is protected cannot be deleted",
    page: `${ELBV2}/API_DeleteLoadBalancer.html`,
    quote: "You can't delete a load balancer if deletion protection is enabled.",
    given: [setBalancer("{alb}", { "deletion_protection.enabled": "true" })],
    call: elbv2("DeleteLoadBalancer", { LoadBalancerArn: "{alb}" }),
    answers: refused("OperationNotPermitted"),
    moto: UNCHECKED,
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
    moto: UNCHECKED,
  },
  {
    says: "a listener of an ALB sends the header Server by default",
    page: LISTENER,
    quote: "Enables you to allow or remove the HTTP response server header.",
    call: elbv2("DescribeListenerAttributes", { ListenerArn: "{webListener}" }),
    answers: { Attributes: including({ Key: "routing.http.response.server.enabled", Value: "true" }) },
    moto: differs("missing", { Attributes: lacking({ Key: "routing.http.response.server.enabled" }) }),
  },
];
