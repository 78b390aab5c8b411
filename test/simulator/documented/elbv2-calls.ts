import type { Expected } from "./comparison.ts";
import { elbv2, later } from "./row.ts";

/** A target group, and a load balancer, that do not exist. */
export const GONE_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0123456789abcdef";
export const GONE_BALANCER =
  "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/gone/0123456789abcdef";

/** `{made}` is its ARN from then on. */
export const createGroup = (
  settings: Omit<Parameters<typeof elbv2<"createTargetGroup">>[1], "Name"> & { readonly Name?: string } = {},
) =>
  elbv2(
    "CreateTargetGroup",
    { Name: "new", Protocol: "HTTP", Port: 80, VpcId: "{vpc}", ...settings },
    { made: "TargetGroups.0.TargetGroupArn" },
  );

/** `{made}` is its ARN from then on. */
export const createBalancer = (
  settings: Omit<Parameters<typeof elbv2<"createLoadBalancer">>[1], "Name"> & { readonly Name?: string } = {},
) =>
  elbv2(
    "CreateLoadBalancer",
    { Name: "new", Subnets: ["{subnetA}", "{subnetB}"], ...settings },
    { made: "LoadBalancers.0.LoadBalancerArn" },
  );

type Target = Readonly<{ Id: string; Port?: number; AvailabilityZone?: string; QuicServerId?: string }>;
export const register = (TargetGroupArn: string, ...Targets: readonly Target[]) =>
  elbv2("RegisterTargets", { TargetGroupArn, Targets });
export const deregister = (TargetGroupArn: string, ...Targets: readonly Target[]) =>
  elbv2("DeregisterTargets", { TargetGroupArn, Targets });
export const health = (TargetGroupArn: string, ...Targets: readonly Target[]) =>
  elbv2("DescribeTargetHealth", { TargetGroupArn, ...(Targets.length === 0 ? {} : { Targets }) });
export const healths = (...TargetHealthDescriptions: readonly Expected[]): Expected => ({ TargetHealthDescriptions });
export const inState = (State: string) => healths({ TargetHealth: { State } });

export const NODE = { Id: "{node}" };
export const IN_SERVICE = [register("{web}", NODE), later(120)];
export const FLOWS_IN_SERVICE = [register("{flows}", NODE), later(300)];

export const DRAINING = {
  State: "draining",
  Reason: "Target.DeregistrationInProgress",
  Description: "Target deregistration is in progress",
};
export const NOT_REGISTERED = {
  State: "unused",
  Reason: "Target.NotRegistered",
  Description: "Target is not registered to the target group",
};
