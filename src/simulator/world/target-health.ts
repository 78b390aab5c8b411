/** The health of a target in the API, with AWS's states, reasons and texts. */
export interface TargetHealth {
  readonly state: "initial" | "healthy" | "unhealthy" | "unhealthy.draining" | "unused" | "draining";
  readonly reason?: string;
  readonly description?: string;
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html#target-health-states */
export const TARGET_HEALTH = {
  healthy: { state: "healthy" },
  unhealthy: { state: "unhealthy", reason: "Target.Timeout", description: "Request timed out" },
  failing: { state: "unhealthy", reason: "Target.FailedHealthChecks", description: "Health checks failed" },
  unhealthyDraining: { state: "unhealthy.draining" },
  registering: {
    state: "initial",
    reason: "Elb.RegistrationInProgress",
    description: "Target registration is in progress",
  },
  firstChecks: {
    state: "initial",
    reason: "Elb.InitialHealthChecking",
    description: "Initial health checks in progress",
  },
  draining: {
    state: "draining",
    reason: "Target.DeregistrationInProgress",
    description: "Target deregistration is in progress",
  },
  noLoadBalancer: {
    state: "unused",
    reason: "Target.NotInUse",
    description: "Target group is not configured to receive traffic from the load balancer",
  },
  otherZone: {
    state: "unused",
    reason: "Target.NotInUse",
    description: "Target is in an Availability Zone that is not enabled for the load balancer",
  },
  stopped: { state: "unused", reason: "Target.InvalidState", description: "Target is in the stopped state" },
} as const satisfies Record<string, TargetHealth>;
