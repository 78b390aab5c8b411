/**
 * How long AWS takes, in milliseconds. The defaults are documented or were measured by users; every one can be set.
 * A range holds for the machines of one load balancer: the first learns of a change after the lower figure, the last
 * after the upper one.
 */
export interface Timing {
  /** New requests on an ALB after deregistering: up to 19 s (aws-load-balancer-controller#2366). */
  readonly albDeregistration: Range;
  /** New flows on an NLB after deregistering: 120-200 s, whatever the delay (karpenter-provider-aws#4673). */
  readonly nlbDeregistration: Range;
  /**
   * New flows on an NLB after a target has become unhealthy while its machine still answers: 30-40 s
   * (containers-roadmap#470). Passive checks notice a machine that does not.
   */
  readonly nlbUnhealthy: Range;
  /**
   * From the end of the deregistration delay, or from when a target is unhealthy, until a GWLB sends its flows elsewhere or
   * resets them: with a delay of 60 s they move after about 120 s.
   * https://aws.amazon.com/blogs/networking-and-content-delivery/introducing-aws-gateway-load-balancer-target-failover-for-existing-flows/
   */
  readonly gatewayFailover: Range;
  readonly classicDeregistration: Range;
  readonly albRegistrationMs: number;
  /** 90-180 s until an NLB sends a new target flows (aws-load-balancer-controller#1834). */
  readonly nlbRegistrationMs: number;
  readonly classicRegistrationMs: number;
  /**
   * From CreateLoadBalancer until the load balancer is `active`: minutes. It sends nothing until then. Users measured 2 to 3
   * minutes. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
   */
  readonly provisioningMs: number;
  /** From TerminateInstances until `terminated`. The machine itself stops answering at once. */
  readonly shuttingDownMs: number;
  /** From `terminated` until the target drops off DescribeTargetHealth's list. */
  readonly terminatedDropMs: number;
  /** From StopInstances until `stopped`. The machine itself stops answering at once. */
  readonly stoppingMs: number;
  /** From StartInstances until `running`, when the machine answers again. */
  readonly pendingMs: number;
  /**
   * For how long a machine that is rebooted does not answer: some minutes.
   * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-reboot.html
   */
  readonly rebootMs: number;
  /**
   * From a registration or deregistration until Describe shows it (aws-sdk-js#1593). It says nothing about traffic,
   * which has lags of its own.
   */
  readonly apiPropagationMs: number;
  /** An ALB gives up connecting after this long: 504. */
  readonly connectTimeoutMs: number;
  /**
   * For how long clients use the address of a load balancer's zone that DNS does not name any more.
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

/** The lag of machine number `machine` of `machines`. */
export function lagOf(range: Range, machine: number, machines: number): number {
  const [first, last] = range;
  return machines <= 1 ? last : first + ((last - first) * machine) / (machines - 1);
}
