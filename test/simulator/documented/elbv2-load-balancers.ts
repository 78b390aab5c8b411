import { A_DATE, ABSENT, count, type Expected, refused } from "./comparison.ts";
import { createBalancer, GONE_BALANCER } from "./elbv2-calls.ts";
import { ALB_GUIDE, ELBV2, NLB_GUIDE } from "./pages.ts";
import { BREAKS_DOWN, differs, elbv2, type Row, UNCHECKED } from "./row.ts";

const CREATE = `${ELBV2}/API_CreateLoadBalancer.html`;
const DESCRIBE = `${ELBV2}/API_DescribeLoadBalancers.html`;
const NAME_RULES =
  'This name must be unique per region per account, can have a maximum of 32 characters, must contain only alphanumeric characters or hyphens, must not begin or end with a hyphen, and must not begin with "internal-".';

const described = (balancer: Expected): Expected => ({ LoadBalancers: [balancer] });

/** Load balancers. */
export const balancerRows: readonly Row[] = [
  {
    says: "a load balancer is an internet-facing ALB by default",
    page: CREATE,
    quote: "The type of load balancer. The default is application.",
    call: createBalancer(),
    answers: described({
      Type: "application",
      Scheme: "internet-facing",
      IpAddressType: "ipv4",
      VpcId: "{vpc}",
      CreatedTime: A_DATE,
      LoadBalancerArn: /:loadbalancer\/app\/new\/[0-9a-f]{16}$/,
    }),
    moto: differs("missing", { LoadBalancers: [{ Scheme: ABSENT }] }),
  },
  {
    says: "the ARN of an NLB says so",
    page: `${ELBV2}/Welcome.html`,
    call: createBalancer({ Type: "network" }),
    answers: described({ Type: "network", LoadBalancerArn: /:loadbalancer\/net\/new\/[0-9a-f]{16}$/ }),
    moto: differs("other value", {
      LoadBalancers: [
        {
          LoadBalancerArn: /:loadbalancer\/app\/new\//,
        },
      ],
    }),
  },
  {
    says: "the ARN of a GWLB says so",
    page: `${ELBV2}/Welcome.html`,
    call: createBalancer({ Type: "gateway" }),
    answers: described({ Type: "gateway", LoadBalancerArn: /:loadbalancer\/gwy\/new\/[0-9a-f]{16}$/ }),
    moto: differs("other value", {
      LoadBalancers: [
        {
          LoadBalancerArn: /:loadbalancer\/app\/new\//,
        },
      ],
    }),
  },
  {
    says: "the DNS name of an ALB has its name, a number and the Region",
    page: `${ALB_GUIDE}/application-load-balancers.html`,
    call: createBalancer(),
    answers: described({ DNSName: /^new-\d+\.eu-west-1\.elb\.amazonaws\.com$/ }),
  },
  {
    says: "the DNS name of an internal ALB begins with internal",
    page: `${ALB_GUIDE}/application-load-balancers.html`,
    call: createBalancer({ Scheme: "internal" }),
    answers: described({ Scheme: "internal", DNSName: /^internal-new-\d+\.eu-west-1\.elb\.amazonaws\.com$/ }),
    moto: differs("other value", { LoadBalancers: [{ DNSName: "new-1.eu-west-1.elb.amazonaws.com" }] }),
  },
  {
    says: "the DNS name of an NLB has the end of its ARN",
    page: `${NLB_GUIDE}/network-load-balancers.html`,
    call: createBalancer({ Type: "network" }),
    answers: described({ DNSName: /^new-[0-9a-f]{16}\.elb\.eu-west-1\.amazonaws\.com$/ }),
    moto: differs("other value", { LoadBalancers: [{ DNSName: "new-1.eu-west-1.elb.amazonaws.com" }] }),
  },
  {
    says: "a load balancer is enabled in the zones of its subnets",
    page: DESCRIBE,
    given: [createBalancer()],
    call: elbv2("DescribeLoadBalancers", { LoadBalancerArns: ["{made}"] }),
    answers: described({
      AvailabilityZones: [
        { ZoneName: "{zone}", SubnetId: "{subnetA}" },
        { ZoneName: "eu-west-1b", SubnetId: "{subnetB}" },
      ],
    }),
  },
  {
    says: "an ALB needs two zones",
    page: CREATE,
    quote: "[Application Load Balancers] You must specify subnets from at least two Availability Zones.",
    call: createBalancer({ Subnets: ["{subnetA}"] }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "an NLB may be in one zone",
    page: CREATE,
    quote:
      "[Network Load Balancers and Gateway Load Balancers] You can specify subnets from one or more Availability Zones.",
    call: createBalancer({ Type: "network", Subnets: ["{subnetA}"] }),
    answers: described({ AvailabilityZones: [{ SubnetId: "{subnetA}" }] }),
  },
  {
    says: "a load balancer without subnets is refused",
    page: CREATE,
    quote: "You must specify either subnets or subnet mappings, but not both.",
    call: createBalancer({ Subnets: [] }),
    answers: refused("ValidationError"),
    moto: differs("other error", refused("SubnetNotFound")),
  },
  {
    says: "an unknown subnet is refused",
    page: CREATE,
    quote: "The specified subnet does not exist.",
    call: createBalancer({ Subnets: ["{subnetA}", "subnet-0dddddddddddddddd"] }),
    answers: refused("SubnetNotFound"),
    moto: differs("other error", refused("InvalidSubnetID.NotFound")),
  },
  {
    says: "an unknown security group is refused",
    page: CREATE,
    quote: "The specified security group does not exist.",
    call: createBalancer({ SecurityGroups: ["sg-0dddddddddddddddd"] }),
    answers: refused("InvalidSecurityGroup"),
    moto: UNCHECKED,
  },
  {
    says: "an unknown type is refused",
    page: CREATE,
    call: createBalancer({ Type: "quantum" }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "the same load balancer may be created twice",
    page: CREATE,
    quote: "If you attempt to create multiple load balancers with the same settings, each call succeeds.",
    given: [createBalancer()],
    call: createBalancer(),
    answers: described({ LoadBalancerArn: "{made}" }),
    moto: differs("other value", {
      LoadBalancers: [
        {
          LoadBalancerArn: /:loadbalancer\/app\/new\//,
        },
      ],
    }),
  },
  {
    says: "another load balancer of the same name is refused",
    page: CREATE,
    quote: "A load balancer with the specified name already exists.",
    given: [createBalancer()],
    call: createBalancer({ Scheme: "internal" }),
    answers: refused("DuplicateLoadBalancerName"),
    moto: UNCHECKED,
  },
  ...["a".repeat(33), "-bad", "bad-", "-bad_name!", "internal-web"].map(
    (Name): Row => ({
      says: `the name ${Name} is refused`,
      page: CREATE,
      quote: NAME_RULES,
      call: createBalancer({ Name }),
      answers: refused("ValidationError"),
      moto: UNCHECKED,
    }),
  ),
  {
    says: "an unknown ARN is refused",
    page: DESCRIBE,
    call: elbv2("DescribeLoadBalancers", { LoadBalancerArns: [GONE_BALANCER] }),
    answers: refused("LoadBalancerNotFound"),
  },
  {
    says: "an unknown name is refused",
    page: DESCRIBE,
    call: elbv2("DescribeLoadBalancers", { Names: ["gone"] }),
    answers: refused("LoadBalancerNotFound"),
  },
  {
    says: "21 ARNs are refused",
    page: DESCRIBE,
    quote: "You can specify up to 20 load balancers in a single call.",
    call: elbv2("DescribeLoadBalancers", { LoadBalancerArns: Array(21).fill("{alb}") }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a page of 401 is refused",
    page: DESCRIBE,
    call: elbv2("DescribeLoadBalancers", { PageSize: 401 }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "a marker that AWS has not given is refused",
    page: DESCRIBE,
    quote: "The marker for the next set of results. (You received this marker from a previous call.)",
    call: elbv2("DescribeLoadBalancers", { Marker: "nonsense" }),
    answers: refused("ValidationError"),
    moto: BREAKS_DOWN,
  },
  {
    says: "a load balancer that is gone is deleted again with success",
    page: `${ELBV2}/API_DeleteLoadBalancer.html`,
    quote: "If the load balancer does not exist or has already been deleted, the call succeeds.",
    call: elbv2("DeleteLoadBalancer", { LoadBalancerArn: GONE_BALANCER }),
    answers: {},
  },
  {
    says: "a load balancer takes its listeners with it",
    page: `${ELBV2}/API_DeleteLoadBalancer.html`,
    quote: "Deleting a load balancer also deletes its listeners.",
    given: [elbv2("DeleteLoadBalancer", { LoadBalancerArn: "{alb}" })],
    call: elbv2("DescribeListeners", { ListenerArns: ["{webListener}"] }),
    answers: refused("ListenerNotFound"),
  },
  {
    says: "a load balancer leaves its groups",
    page: `${ELBV2}/API_DeleteLoadBalancer.html`,
    quote: "Deleting a load balancer does not affect its registered targets.",
    given: [elbv2("DeleteLoadBalancer", { LoadBalancerArn: "{alb}" })],
    call: elbv2("DescribeTargetGroups", { TargetGroupArns: ["{web}"] }),
    answers: { TargetGroups: [{ LoadBalancerArns: [] }] },
    moto: differs("other value", { TargetGroups: [{ LoadBalancerArns: count(1) }] }),
  },
];
