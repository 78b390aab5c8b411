import { ABSENT, type Expected, refused } from "./comparison.ts";
import { createBalancer, GONE_BALANCER } from "./elbv2-calls.ts";
import { ALB_GUIDE, ELBV2 } from "./pages.ts";
import { BREAKS_DOWN, differs, elbv2, type Row, UNCHECKED } from "./row.ts";

const GONE_LISTENER = GONE_BALANCER.replace("loadbalancer/app/gone", "listener/app/gone/0123456789abcdef");
const GONE_RULE = GONE_LISTENER.replace("listener/", "listener-rule/").concat("/0123456789abcdef");
const CREATE_LISTENER = `${ELBV2}/API_CreateListener.html`;
const CREATE_RULE = `${ELBV2}/API_CreateRule.html`;

const forwardTo = (TargetGroupArn: string) => [{ Type: "forward", TargetGroupArn }];
const listener = (settings: Partial<Parameters<typeof elbv2<"createListener">>[1]> = {}, LoadBalancerArn = "{alb}") =>
  elbv2(
    "CreateListener",
    { LoadBalancerArn, Protocol: "HTTP", Port: 8080, DefaultActions: forwardTo("{web}"), ...settings },
    { listener: "Listeners.0.ListenerArn" },
  );
const rule = (Priority: number, settings: Partial<Parameters<typeof elbv2<"createRule">>[1]> = {}) =>
  elbv2(
    "CreateRule",
    {
      ListenerArn: "{webListener}",
      Priority,
      Conditions: [{ Field: "path-pattern", Values: ["/img/*"] }],
      Actions: forwardTo("{web}"),
      ...settings,
    },
    { rule: "Rules.0.RuleArn" },
  );
const rules = (...Rules: readonly Expected[]): Expected => ({ Rules });

/** Listeners and rules. */
export const listenerRows: readonly Row[] = [
  {
    says: "a listener describes a forward to one group in both forms",
    page: `${ELBV2}/API_Action.html`,
    call: elbv2("DescribeListeners", { LoadBalancerArn: "{alb}" }),
    answers: {
      Listeners: [
        {
          Protocol: "HTTP",
          Port: 80,
          DefaultActions: [
            {
              Type: "forward",
              TargetGroupArn: "{web}",
              ForwardConfig: { TargetGroups: [{ TargetGroupArn: "{web}" }] },
            },
          ],
        },
      ],
    },
    moto: differs("missing", { Listeners: [{ DefaultActions: [{ ForwardConfig: ABSENT }] }] }),
  },
  {
    says: "neither a load balancer nor listeners are refused",
    page: `${ELBV2}/API_DescribeListeners.html`,
    quote: "You must specify either a load balancer or one or more listeners.",
    call: elbv2("DescribeListeners", {}),
    answers: refused("ValidationError"),
  },
  {
    says: "an unknown load balancer is refused",
    page: `${ELBV2}/API_DescribeListeners.html`,
    call: elbv2("DescribeListeners", { LoadBalancerArn: GONE_BALANCER }),
    answers: refused("LoadBalancerNotFound"),
  },
  {
    says: "an unknown listener is refused",
    page: `${ELBV2}/API_DescribeListeners.html`,
    call: elbv2("DescribeListeners", { ListenerArns: [GONE_LISTENER] }),
    answers: refused("ListenerNotFound"),
  },
  {
    says: "another listener on the same port is refused",
    page: CREATE_LISTENER,
    quote: "A listener with the specified port already exists.",
    call: listener({
      Port: 80,
      DefaultActions: [{ Type: "fixed-response", FixedResponseConfig: { StatusCode: "503" } }],
    }),
    answers: refused("DuplicateListener"),
    moto: UNCHECKED,
  },
  {
    says: "the same listener may be created twice",
    page: CREATE_LISTENER,
    quote: "If you attempt to create multiple listeners with the same settings, each call succeeds.",
    given: [listener()],
    call: listener(),
    answers: { Listeners: [{ ListenerArn: "{listener}" }] },
    moto: differs("other value", {
      Listeners: [
        {
          ListenerArn: /:listener\/app\/web-lb\//,
        },
      ],
    }),
  },
  {
    says: "an ALB does not listen by TCP",
    page: CREATE_LISTENER,
    quote: "For Application Load Balancers, the supported protocols are HTTP and HTTPS.",
    call: listener({ Protocol: "TCP" }),
    answers: refused("ValidationError"),
  },
  {
    says: "an NLB does not listen by HTTP",
    page: CREATE_LISTENER,
    quote: "For Network Load Balancers, the supported protocols are TCP, TLS, UDP, TCP_UDP, QUIC, and TCP_QUIC.",
    call: listener({ DefaultActions: forwardTo("{flows}") }, "{nlb}"),
    answers: refused("ValidationError"),
  },
  {
    says: "a listener by HTTPS needs a certificate",
    page: CREATE_LISTENER,
    quote:
      "[HTTPS and TLS listeners] The default certificate for the listener. You must provide exactly one certificate.",
    call: listener({ Protocol: "HTTPS" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a group of an NLB cannot be used by an ALB",
    page: CREATE_LISTENER,
    quote: "The specified configuration is not valid with this protocol.",
    given: [
      elbv2(
        "CreateTargetGroup",
        { Name: "tcp", Protocol: "TCP", Port: 80, VpcId: "{vpc}" },
        { tcp: "TargetGroups.0.TargetGroupArn" },
      ),
    ],
    call: listener({ DefaultActions: forwardTo("{tcp}") }),
    answers: refused("IncompatibleProtocols"),
    moto: UNCHECKED,
  },
  {
    says: "a group serves one load balancer",
    page: CREATE_LISTENER,
    quote: "You've reached the limit on the number of load balancers per target group.",
    given: [createBalancer()],
    call: listener({}, "{made}"),
    answers: refused("TargetGroupAssociationLimit"),
    moto: UNCHECKED,
  },
  {
    says: "a listener of an unknown load balancer is refused",
    page: CREATE_LISTENER,
    call: listener({}, GONE_BALANCER),
    answers: refused("LoadBalancerNotFound"),
  },
  {
    says: "a forward to an unknown group is refused",
    page: CREATE_LISTENER,
    call: listener({ DefaultActions: forwardTo(GONE_BALANCER.replace("loadbalancer/app", "targetgroup")) }),
    answers: refused("TargetGroupNotFound"),
  },
  {
    says: "a weight above 999 is refused",
    page: `${ELBV2}/API_TargetGroupTuple.html`,
    quote: "The weight. The range is 0 to 999.",
    call: listener({
      DefaultActions: [
        { Type: "forward", ForwardConfig: { TargetGroups: [{ TargetGroupArn: "{web}", Weight: 1_000 }] } },
      ],
    }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a redirect to itself is refused",
    page: `${ELBV2}/API_RedirectActionConfig.html`,
    quote:
      "A URI consists of the following components: protocol://hostname:port/path?query. You must modify at least one of the following components to avoid a redirect loop: protocol, hostname, port, or path.",
    call: listener({ DefaultActions: [{ Type: "redirect", RedirectConfig: { StatusCode: "HTTP_301" } }] }),
    answers: refused("InvalidLoadBalancerAction"),
    moto: UNCHECKED,
  },
  {
    says: "a listener is moved to another group, and keeps the rest",
    page: `${ELBV2}/API_ModifyListener.html`,
    quote: "Any properties that you do not specify remain unchanged.",
    call: elbv2("ModifyListener", { ListenerArn: "{webListener}", DefaultActions: forwardTo("{idle}") }),
    answers: { Listeners: [{ Port: 80, Protocol: "HTTP", DefaultActions: [{ TargetGroupArn: "{idle}" }] }] },
  },
  {
    says: "a deleted listener is unknown",
    page: `${ELBV2}/API_DeleteListener.html`,
    given: [elbv2("DeleteListener", { ListenerArn: "{webListener}" })],
    call: elbv2("DeleteListener", { ListenerArn: "{webListener}" }),
    answers: refused("ListenerNotFound"),
  },
  {
    says: "a listener has a default rule, which comes last",
    page: `${ELBV2}/API_DescribeRules.html`,
    given: [rule(10)],
    call: elbv2("DescribeRules", { ListenerArn: "{webListener}" }),
    answers: rules(
      {
        RuleArn: "{rule}",
        Priority: "10",
        IsDefault: false,
        Conditions: [{ Field: "path-pattern", Values: ["/img/*"] }],
      },
      { Priority: "default", IsDefault: true, Conditions: [], Actions: [{ TargetGroupArn: "{web}" }] },
    ),
  },
  {
    says: "rules are described by their priority",
    page: `${ALB_GUIDE}/listener-rules.html`,
    given: [rule(30), rule(20)],
    call: elbv2("DescribeRules", { ListenerArn: "{webListener}" }),
    answers: rules({ Priority: "20" }, { Priority: "30" }, { Priority: "default" }),
    moto: differs("other value", { Rules: [{ Priority: "30" }, { Priority: "20" }, {}] }),
  },
  {
    says: "a priority is used once",
    page: CREATE_RULE,
    quote: "A listener can't have multiple rules with the same priority.",
    given: [rule(10)],
    call: rule(10),
    answers: refused("PriorityInUse"),
  },
  ...[0, 50_001].map(
    (priority): Row => ({
      says: `the priority ${priority} is refused`,
      page: CREATE_RULE,
      call: rule(priority),
      answers: refused("ValidationError"),
      moto: UNCHECKED,
    }),
  ),
  {
    says: "a rule of an unknown listener is refused",
    page: CREATE_RULE,
    call: rule(10, { ListenerArn: GONE_LISTENER }),
    answers: refused("ListenerNotFound"),
  },
  {
    says: "the default rule cannot be deleted",
    page: `${ELBV2}/API_DeleteRule.html`,
    quote: "You can't delete the default rule.",
    given: [elbv2("DescribeRules", { ListenerArn: "{webListener}" }, { byDefault: "Rules.0.RuleArn" })],
    call: elbv2("DeleteRule", { RuleArn: "{byDefault}" }),
    answers: refused("OperationNotPermitted"),
    moto: BREAKS_DOWN,
  },
  {
    says: "an unknown rule cannot be deleted",
    page: `${ELBV2}/API_DeleteRule.html`,
    call: elbv2("DeleteRule", { RuleArn: GONE_RULE }),
    answers: refused("RuleNotFound"),
    moto: UNCHECKED,
  },
  {
    says: "rules exchange their priorities in one call",
    page: `${ELBV2}/API_SetRulePriorities.html`,
    quote: "You can reorder the rules as long as there are no priority conflicts in the new order.",
    given: [rule(1), { ...rule(2), keep: { second: "Rules.0.RuleArn" } }],
    call: elbv2("SetRulePriorities", {
      RulePriorities: [
        { RuleArn: "{rule}", Priority: 2 },
        { RuleArn: "{second}", Priority: 1 },
      ],
    }),
    answers: rules({ RuleArn: "{rule}", Priority: "2" }, { RuleArn: "{second}", Priority: "1" }),
    moto: differs("refuses", refused("PriorityInUse")),
  },
  {
    says: "the actions of a rule are changed, and its conditions stay",
    page: `${ELBV2}/API_ModifyRule.html`,
    quote: "Any properties that you do not specify are unchanged.",
    given: [rule(5)],
    call: elbv2("ModifyRule", { RuleArn: "{rule}", Actions: forwardTo("{idle}") }),
    answers: rules({ Conditions: [{ Values: ["/img/*"] }], Actions: [{ TargetGroupArn: "{idle}" }] }),
  },
  {
    says: "a group that only a rule uses belongs to the load balancer",
    page: `${ELBV2}/API_DescribeTargetGroups.html`,
    given: [rule(5, { Actions: forwardTo("{idle}") })],
    call: elbv2("DescribeTargetGroups", { TargetGroupArns: ["{idle}"] }),
    answers: { TargetGroups: [{ LoadBalancerArns: ["{alb}"], HealthCheckPath: "/", Matcher: { GrpcCode: ABSENT } }] },
  },
  {
    says: "a GWLB listens to everything, without a protocol",
    page: CREATE_LISTENER,
    quote: "You can't specify a protocol for a Gateway Load Balancer.",
    given: [createBalancer({ Type: "gateway" })],
    call: listener({ Port: undefined }, "{made}"),
    answers: refused("ValidationError"),
  },
  {
    says: "a rule has a condition on the method of requests",
    page: `${ELBV2}/API_RuleCondition.html`,
    quote: "[ALB] Matches on the HTTP request method.",
    call: rule(5, { Conditions: [{ Field: "http-request-method", HttpRequestMethodConfig: { Values: ["GET"] } }] }),
    answers: rules({ Conditions: [{ Field: "http-request-method", HttpRequestMethodConfig: { Values: ["GET"] } }] }),
  },
  {
    says: "the order of an action is kept",
    page: `${ELBV2}/API_Action.html`,
    quote: "The order for the action.",
    call: rule(5, { Actions: [{ Type: "forward", TargetGroupArn: "{web}", Order: 1 }] }),
    answers: rules({ Actions: [{ Type: "forward", Order: 1 }] }),
  },
];
