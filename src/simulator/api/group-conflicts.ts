import { validationError } from "../aws-error.ts";

const [ON_DEREGISTRATION, ON_UNHEALTHY] = [
  "target_failover.on_deregistration",
  "target_failover.on_unhealthy",
] as const;
const RESETS = ["send_tcp_reset.on_deregistration.enabled", "send_tcp_reset.on_unhealthy.enabled"] as const;
const UNHEALTHY_TERMINATION = "target_health_state.unhealthy.connection_termination.enabled";

/**
 * Refuses values of a target group that AWS allows alone, but not together, or not with the group's protocol. The first
 * text is AWS's, from its blog; of the others AWS's documents have the rule only.
 * https://aws.amazon.com/blogs/networking-and-content-delivery/introducing-aws-gateway-load-balancer-target-failover-for-existing-flows/
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html#send-tcp-reset-target-failover
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
 */
export function checkConflicts(protocol: string, attributes: ReadonlyMap<string, string>): void {
  if (attributes.get(ON_DEREGISTRATION) !== attributes.get(ON_UNHEALTHY))
    throw validationError(
      `Target group attribute keys '${ON_UNHEALTHY}' and '${ON_DEREGISTRATION}' must both be set to the same value for this target group`,
    );
  const reset = RESETS.find((key) => attributes.get(key) === "true");
  if (reset !== undefined && attributes.get(ON_UNHEALTHY) === "rebalance")
    throw validationError(`Target group attribute key '${reset}' can't be 'true' with '${ON_UNHEALTHY}' 'rebalance'`);
  if (reset !== undefined && attributes.get("stickiness.enabled") === "true")
    throw validationError(`Target group attribute key '${reset}' can't be 'true' with 'stickiness.enabled' 'true'`);
  const hasDatagrams = protocol === "UDP" || protocol === "TCP_UDP";
  if (hasDatagrams && attributes.get(UNHEALTHY_TERMINATION) === "true")
    throw validationError(
      `Target group attribute key '${UNHEALTHY_TERMINATION}' can't be 'true' for protocol ${protocol}`,
    );
}
