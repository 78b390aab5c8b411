/**
 * How long AWS takes, in milliseconds. The defaults are documented or were measured by users. Every value can be set. A
 * range applies to the machines of one load balancer: the first machine learns of a change after the lower value, the
 * last machine after the upper value.
 */
export interface Timing {
  /**
   * An ALB sends new requests to a target for up to 19 s after its deregistration (aws-load-balancer-controller#2366).
   */
  readonly albDeregistration: Range;
  /**
   * An NLB sends new flows to a target for 120-200 s after its deregistration, whatever the deregistration delay
   * (karpenter-provider-aws#4673).
   */
  readonly nlbDeregistration: Range;
  /**
   * An NLB sends new flows to a target for 30-40 s after it has become unhealthy, if its machine still answers
   * (containers-roadmap#470). If the machine does not answer, passive checks notice it.
   */
  readonly nlbUnhealthy: Range;
  /**
   * Time until a GWLB moves or resets the flows of a target, counted from the end of the deregistration delay, or from
   * when the target is unhealthy. With a delay of 60 s, the flows move after about 120 s.
   * https://aws.amazon.com/blogs/networking-and-content-delivery/introducing-aws-gateway-load-balancer-target-failover-for-existing-flows/
   */
  readonly gatewayFailover: Range;
  readonly classicDeregistration: Range;
  readonly albRegistrationMs: number;
  /** An NLB sends flows to a new target after 90-180 s (aws-load-balancer-controller#1834). */
  readonly nlbRegistrationMs: number;
  readonly classicRegistrationMs: number;
  /**
   * From CreateLoadBalancer until the load balancer is `active` and sends traffic. Users measured 2 to 3 minutes.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
   */
  readonly provisioningMs: number;
  /** From TerminateInstances until `terminated`. The machine itself stops answering at once. */
  readonly shuttingDownMs: number;
  /** From `terminated` until DescribeTargetHealth does not list the target any more. */
  readonly terminatedDropMs: number;
  /** From StopInstances until `stopped`. The machine itself stops answering at once. */
  readonly stoppingMs: number;
  /** From StartInstances until `running`, when the machine answers again. */
  readonly pendingMs: number;
  /**
   * How long a machine does not answer after a reboot: some minutes.
   * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-reboot.html
   */
  readonly rebootMs: number;
  /** From a registration or deregistration until Describe calls show it (aws-sdk-js#1593). Traffic has its own lags. */
  readonly apiPropagationMs: number;
  /** How long an ALB tries to connect to a target before it answers 504. */
  readonly connectTimeoutMs: number;
  /**
   * How long clients use the address of a load balancer's zone after DNS has removed it.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html
   */
  readonly dnsTtlMs: number;
}

export type Range = readonly [first: number, last: number];

export const AWS_TIMING: Timing = {
  albDeregistration: [4_000, 18_000],
  nlbDeregistration: [120_000, 180_000],
  nlbUnhealthy: [30_000, 40_000],
  gatewayFailover: [30_000, 60_000],
  classicDeregistration: [500, 2_000],
  albRegistrationMs: 5_000,
  nlbRegistrationMs: 90_000,
  classicRegistrationMs: 2_000,
  provisioningMs: 120_000,
  shuttingDownMs: 5_000,
  terminatedDropMs: 5_000,
  stoppingMs: 5_000,
  pendingMs: 5_000,
  rebootMs: 120_000,
  apiPropagationMs: 0,
  connectTimeoutMs: 10_000,
  dnsTtlMs: 60_000,
};

/** The lag of machine number `machine`, from 0, of `machines`. */
export function lagOf(range: Range, machine: number, machines: number): number {
  const [first, last] = range;
  return machines <= 1 ? last : first + ((last - first) * machine) / (machines - 1);
}
