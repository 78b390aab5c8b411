import { AwsError, validationError } from "../aws-error.ts";
import {
  ALGORITHM,
  ANOMALY_MITIGATION,
  CLIENT_ADDRESS,
  hasDatagrams,
  UNHEALTHY_DRAINING_INTERVAL,
  UNHEALTHY_TERMINATION,
} from "../world/target-group-attributes.ts";

const [ON_DEREGISTRATION, ON_UNHEALTHY] = [
  "target_failover.on_deregistration",
  "target_failover.on_unhealthy",
] as const;
const RESETS = ["send_tcp_reset.on_deregistration.enabled", "send_tcp_reset.on_unhealthy.enabled"] as const;

/**
 * Refuses values of a target group that AWS allows alone, but not together, or not with the group's protocol. `given`: the keys that
 * the call sets. The first text is AWS's, from its blog; of the others AWS's documents have the rule only.
 * https://aws.amazon.com/blogs/networking-and-content-delivery/introducing-aws-gateway-load-balancer-target-failover-for-existing-flows/
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html#send-tcp-reset-target-failover
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
 */
export function checkConflicts(
  protocol: string,
  attributes: ReadonlyMap<string, string>,
  given: ReadonlySet<string>,
): void {
  if (attributes.get(ON_DEREGISTRATION) !== attributes.get(ON_UNHEALTHY))
    throw validationError(
      `Target group attribute keys '${ON_UNHEALTHY}' and '${ON_DEREGISTRATION}' must both be set to the same value for this target group`,
    );
  const conflict = conflictOf(protocol, attributes, given);
  if (conflict !== undefined) throw new AwsError("InvalidConfigurationRequest", conflict);
}

function conflictOf(
  protocol: string,
  attributes: ReadonlyMap<string, string>,
  given: ReadonlySet<string>,
): string | undefined {
  const isSet = (key: string, value: string) => given.has(key) && attributes.get(key) === value;
  const reset = RESETS.find((key) => attributes.get(key) === "true");
  if (reset !== undefined && attributes.get(ON_UNHEALTHY) === "rebalance")
    return `Target group attribute key '${reset}' can't be 'true' with '${ON_UNHEALTHY}' 'rebalance'`;
  if (reset !== undefined && attributes.get("stickiness.enabled") === "true")
    return `Target group attribute key '${reset}' can't be 'true' with 'stickiness.enabled' 'true'`;
  if (hasDatagrams(protocol) && isSet(UNHEALTHY_TERMINATION, "true"))
    return `The attribute ${UNHEALTHY_TERMINATION} cannot be enabled for target groups of the protocol ${protocol}`;
  if (hasDatagrams(protocol) && isSet(CLIENT_ADDRESS, "false"))
    return `The attribute ${CLIENT_ADDRESS} cannot be disabled for target groups of the protocol ${protocol}`;
  const keepsNone = attributes.get(UNHEALTHY_TERMINATION) === "true";
  if (given.has(UNHEALTHY_DRAINING_INTERVAL) && attributes.get(UNHEALTHY_DRAINING_INTERVAL) !== "0" && keepsNone)
    return `The attribute ${UNHEALTHY_DRAINING_INTERVAL} needs ${UNHEALTHY_TERMINATION} to be false`;
  if (attributes.get(ANOMALY_MITIGATION) === "on" && attributes.get(ALGORITHM) !== "weighted_random")
    return `The attribute ${ANOMALY_MITIGATION} needs ${ALGORITHM} to be weighted_random`;
  return undefined;
}
