import { ABSENT, type Expected, refused } from "./comparison.ts";
import { createGroup, GONE_BALANCER, GONE_GROUP } from "./elbv2-calls.ts";
import { ALB_GUIDE, ELBV2, GWLB_GUIDE, NLB_GUIDE } from "./pages.ts";
import { differs, elbv2, type Row, UNCHECKED } from "./row.ts";

const CREATE = `${ELBV2}/API_CreateTargetGroup.html`;
const DESCRIBE = `${ELBV2}/API_DescribeTargetGroups.html`;
const NAME_RULES =
  "This name must be unique per region per account, can have a maximum of 32 characters, must contain only alphanumeric characters or hyphens, and must not begin or end with a hyphen.";

const described = (group: Expected): Expected => ({ TargetGroups: [group] });

/** Target groups: what they are made with, how they are found and changed. */
export const groupRows: readonly Row[] = [
  {
    says: "a group of an ALB is checked by HTTP on the traffic port",
    page: `${ALB_GUIDE}/target-group-health-checks.html`,
    call: createGroup(),
    answers: described({
      Protocol: "HTTP",
      ProtocolVersion: "HTTP1",
      TargetType: "instance",
      IpAddressType: "ipv4",
      HealthCheckEnabled: true,
      HealthCheckProtocol: "HTTP",
      HealthCheckPort: "traffic-port",
      HealthCheckPath: "/",
      HealthCheckIntervalSeconds: 30,
      HealthCheckTimeoutSeconds: 5,
      HealthyThresholdCount: 5,
      UnhealthyThresholdCount: 2,
      Matcher: { HttpCode: "200" },
    }),
  },
  {
    says: "a group of an NLB is checked by TCP",
    page: `${NLB_GUIDE}/target-group-health-checks.html`,
    quote:
      "For Application Load Balancers, the default is HTTP. For Network Load Balancers and Gateway Load Balancers, the default is TCP.",
    call: createGroup({ Protocol: "TCP" }),
    answers: described({
      HealthCheckProtocol: "TCP",
      HealthCheckPort: "traffic-port",
      HealthCheckPath: ABSENT,
      Matcher: ABSENT,
      ProtocolVersion: ABSENT,
      HealthCheckIntervalSeconds: 30,
      HealthCheckTimeoutSeconds: 10,
      HealthyThresholdCount: 5,
      UnhealthyThresholdCount: 2,
    }),
  },
  {
    says: "the checks of an NLB by HTTP take 200-399 for healthy",
    page: CREATE,
    quote:
      "For Network Load Balancers, you can specify values between 200 and 599, with the default value being 200-399.",
    call: createGroup({ Protocol: "TCP", HealthCheckProtocol: "HTTP" }),
    answers: described({ HealthCheckProtocol: "HTTP", HealthCheckPath: "/", Matcher: { HttpCode: "200-399" } }),
    moto: differs("other value", { TargetGroups: [{ HealthCheckPath: ABSENT, Matcher: { HttpCode: "200" } }] }),
  },
  {
    says: "a group of a GWLB is checked every 10 seconds on port 80",
    page: `${GWLB_GUIDE}/health-checks.html`,
    quote: "If the protocol is GENEVE, the default is port 80.",
    call: createGroup({ Protocol: "GENEVE", Port: 6_081 }),
    answers: described({
      HealthCheckProtocol: "TCP",
      HealthCheckPort: "80",
      HealthCheckIntervalSeconds: 10,
      HealthCheckTimeoutSeconds: 5,
      HealthyThresholdCount: 5,
      UnhealthyThresholdCount: 2,
    }),
  },
  {
    says: "a group by GENEVE is on port 6081",
    page: CREATE,
    quote: "If the protocol is GENEVE, the supported port is 6081.",
    call: createGroup({ Protocol: "GENEVE", Port: 80 }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a group of functions has neither protocol nor port, and is not checked",
    page: CREATE,
    quote: "If the target type is lambda, health checks are disabled by default but can be enabled.",
    call: elbv2("CreateTargetGroup", { Name: "functions", TargetType: "lambda" }),
    answers: described({
      TargetType: "lambda",
      Protocol: ABSENT,
      Port: ABSENT,
      VpcId: ABSENT,
      HealthCheckEnabled: false,
      HealthCheckIntervalSeconds: 35,
      HealthCheckTimeoutSeconds: 30,
      HealthyThresholdCount: 5,
      UnhealthyThresholdCount: 2,
    }),
  },
  {
    says: "a group of functions is checked where that is wanted",
    page: CREATE,
    quote: "If the target type is lambda, health checks are disabled by default but can be enabled.",
    call: elbv2("CreateTargetGroup", { Name: "functions", TargetType: "lambda", HealthCheckEnabled: true }),
    answers: described({ HealthCheckEnabled: true }),
  },
  {
    says: "a group of instances is always checked",
    page: CREATE,
    quote: "If the target type is instance, ip, or alb, health checks are always enabled and can't be disabled.",
    call: createGroup({ HealthCheckEnabled: false }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a group without a VPC is refused",
    page: CREATE,
    quote: "If the target is a Lambda function, this parameter does not apply. Otherwise, this parameter is required.",
    call: elbv2("CreateTargetGroup", { Name: "new", Protocol: "HTTP", Port: 80 }),
    answers: refused("ValidationError"),
  },
  {
    says: "a group without a protocol is refused",
    page: CREATE,
    call: elbv2("CreateTargetGroup", { Name: "new", Port: 80, VpcId: "{vpc}" }),
    answers: refused("ValidationError"),
  },
  {
    says: "an unknown protocol is refused",
    page: CREATE,
    call: createGroup({ Protocol: "SCTP" }),
    answers: refused("ValidationError", { message: /enum value set/ }),
  },
  {
    says: "what is no VPC is refused",
    page: CREATE,
    call: createGroup({ VpcId: "nowhere" }),
    answers: refused("ValidationError"),
  },
  {
    says: "checks by TCP are refused for a group of an ALB",
    page: CREATE,
    quote: "The TCP protocol is not supported for health checks if the protocol of the target group is HTTP or HTTPS.",
    call: createGroup({ HealthCheckProtocol: "TCP" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "checks by UDP are refused",
    page: CREATE,
    quote: "The GENEVE, TLS, UDP, TCP_UDP, QUIC, and TCP_QUIC protocols are not supported for health checks.",
    call: createGroup({ Protocol: "UDP", HealthCheckProtocol: "UDP" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "checks more often than every 5 seconds are refused",
    page: CREATE,
    quote:
      "The approximate amount of time, in seconds, between health checks of an individual target. The range is 5-300.",
    call: createGroup({ HealthCheckIntervalSeconds: 4 }),
    answers: refused("ValidationError"),
  },
  {
    says: "a threshold of 1 is refused",
    page: CREATE,
    quote:
      "The number of consecutive health check failures required before considering a target unhealthy. The range is 2-10.",
    call: createGroup({ UnhealthyThresholdCount: 1 }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a name of 32 characters is accepted",
    page: CREATE,
    quote: NAME_RULES,
    call: createGroup({ Name: "a".repeat(32) }),
    answers: described({ TargetGroupName: "a".repeat(32) }),
  },
  ...["a".repeat(33), "-web", "web-", "web_1"].map(
    (Name): Row => ({
      says: `the name ${Name} is refused`,
      page: CREATE,
      quote: NAME_RULES,
      call: createGroup({ Name }),
      answers: refused("ValidationError"),
    }),
  ),
  {
    says: "the same group may be created twice",
    page: CREATE,
    quote: "If you attempt to create multiple target groups with the same settings, each call succeeds.",
    given: [createGroup()],
    call: createGroup(),
    answers: described({ TargetGroupArn: "{made}" }),
    moto: differs("refuses", refused("DuplicateTargetGroupName")),
  },
  {
    says: "another group of the same name is refused",
    page: CREATE,
    quote: "A target group with the specified name already exists.",
    given: [createGroup()],
    call: createGroup({ Port: 81 }),
    answers: refused("DuplicateTargetGroupName"),
  },
  {
    says: "a new group is in use by no load balancer",
    page: DESCRIBE,
    quote: "You can use each target group with only one load balancer.",
    given: [createGroup()],
    call: elbv2("DescribeTargetGroups", { TargetGroupArns: ["{made}"] }),
    answers: described({ LoadBalancerArns: [] }),
  },
  {
    says: "a group says which load balancer uses it",
    page: DESCRIBE,
    call: elbv2("DescribeTargetGroups", { Names: ["web"], TargetGroupArns: [] }),
    given: [elbv2("DescribeTargetHealth", { TargetGroupArn: "{web}" })],
    answers: described({ TargetGroupArn: "{web}", LoadBalancerArns: ["{alb}"] }),
  },
  {
    says: "the groups of a load balancer are found",
    page: DESCRIBE,
    given: [createGroup()],
    call: elbv2("DescribeTargetGroups", { LoadBalancerArn: "{alb}" }),
    answers: described({ TargetGroupArn: "{web}" }),
  },
  {
    says: "two ways of choosing groups are refused",
    page: DESCRIBE,
    quote:
      "Alternatively, you can specify one of the following to filter the results: the ARN of the load balancer, the names of one or more target groups, or the ARNs of one or more target groups.",
    call: elbv2("DescribeTargetGroups", { LoadBalancerArn: "{alb}", Names: ["web"] }),
    answers: refused("ValidationError"),
  },
  {
    says: "an unknown ARN is refused",
    page: DESCRIBE,
    call: elbv2("DescribeTargetGroups", { TargetGroupArns: [GONE_GROUP] }),
    answers: refused("TargetGroupNotFound", { message: /^One or more target groups not found$/ }),
  },
  {
    says: "an unknown name is refused",
    page: DESCRIBE,
    call: elbv2("DescribeTargetGroups", { Names: ["gone"] }),
    answers: refused("TargetGroupNotFound"),
  },
  {
    says: "an unknown load balancer is refused",
    page: DESCRIBE,
    call: elbv2("DescribeTargetGroups", { LoadBalancerArn: GONE_BALANCER }),
    answers: refused("LoadBalancerNotFound"),
  },
  {
    says: "21 ARNs are refused",
    page: DESCRIBE,
    given: [createGroup()],
    call: elbv2("DescribeTargetGroups", { TargetGroupArns: Array(21).fill("{made}") }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a page has as many groups as are asked for, and a marker of the next",
    page: DESCRIBE,
    given: [createGroup(), createGroup({ Name: "second" })],
    call: elbv2("DescribeTargetGroups", { PageSize: 1 }),
    answers: { TargetGroups: [{ TargetGroupName: "new" }], NextMarker: /./ },
    moto: differs("missing", {
      TargetGroups: [{ TargetGroupName: "new" }, { TargetGroupName: "second" }],
      NextMarker: ABSENT,
    }),
  },
  {
    says: "the last page has no marker",
    page: DESCRIBE,
    quote: "If there are additional results, this is the marker for the next set of results. Otherwise, this is null.",
    given: [
      createGroup(),
      createGroup({ Name: "second" }),
      elbv2("DescribeTargetGroups", { PageSize: 1 }, { marker: "NextMarker?" }),
    ],
    call: elbv2("DescribeTargetGroups", { PageSize: 1, Marker: "{marker}" }),
    answers: { TargetGroups: [{ TargetGroupName: "second" }], NextMarker: ABSENT },
    moto: differs("missing", { TargetGroups: [{}, {}] }),
  },
  ...[0, 401].map(
    (PageSize): Row => ({
      says: `a page of ${PageSize} is refused`,
      page: DESCRIBE,
      call: elbv2("DescribeTargetGroups", { PageSize }),
      answers: refused("ValidationError"),
      moto: UNCHECKED,
    }),
  ),
];
