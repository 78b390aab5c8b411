import { isIP } from "node:net";
import { AwsError, invalidTarget, validationError } from "../aws-error.ts";
import type { TargetDescription, TargetGroup } from "../world/target-group.ts";
import { isQuic } from "../world/target-group-attributes.ts";
import type { World } from "../world/world.ts";

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html */
const TARGETS_PER_GROUP_MAX = 1_000;

/**
 * Throws if one of these may not be registered, so that none is.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
 */
export function checkRegistration(wanted: readonly TargetDescription[], group: TargetGroup, world: World): void {
  checkParts(wanted, group);
  if (group.targetType === "instance") checkInstances(wanted, group, world);
  if (group.targetType === "ip") for (const target of wanted) checkAddress(target, group, world);
  const now = world.clock.now();
  const keys = [...group.listed(now).filter(({ deregisteredAt }) => deregisteredAt === undefined), ...wanted].map(
    ({ id, port = group.port }) => `${id} ${port}`,
  );
  if (new Set(keys).size > TARGETS_PER_GROUP_MAX) {
    throw new AwsError(
      "TooManyTargets",
      `The maximum number of targets per target group, '${TARGETS_PER_GROUP_MAX}', has been reached on target group '${group.arn}'`,
    );
  }
}

/** The parts of targets of the group in addition to their id and port. */
function checkParts(wanted: readonly TargetDescription[], { targetType, protocol }: TargetGroup): void {
  const takesZones = targetType === "ip" || targetType === "lambda";
  if (!takesZones && wanted.some(({ zone }) => zone !== undefined))
    throw validationError(`You cannot specify an Availability Zone for targets of the type '${targetType}'`);
  if (isQuic(protocol) && wanted.some(({ quicServerId }) => quicServerId === undefined))
    throw validationError("A QUIC server ID is required for the targets of a target group of this protocol");
  if (!isQuic(protocol) && wanted.some(({ quicServerId }) => quicServerId !== undefined))
    throw validationError(`You cannot specify a QUIC server ID for targets of the protocol '${protocol}'`);
}

function checkInstances(wanted: readonly TargetDescription[], { vpcId }: TargetGroup, world: World): void {
  const quoted = (targets: readonly TargetDescription[]) => targets.map(({ id }) => `'${id}'`).join(", ");
  const unknown = wanted.filter(({ id }) => world.instance(id) === undefined);
  if (unknown.length > 0) throw invalidTarget(`The following instances do not exist: ${quoted(unknown)}`);
  const stopped = wanted.filter(({ id }) => !world.isRunning(id));
  if (stopped.length > 0) {
    throw invalidTarget(
      `The following targets are not in a running state and cannot be registered: ${quoted(stopped)}`,
    );
  }
  const elsewhere = wanted.filter(({ id }) => world.instance(id)?.vpcId !== vpcId);
  if (elsewhere.length > 0)
    throw invalidTarget(`The following targets are not in the target group VPC '${vpcId}': ${quoted(elsewhere)}`);
}

/**
 * An address must be of the group's type, and private if no machine of the VPC has it. Outside the VPC it needs a zone,
 * which may be `all`. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
 */
function checkAddress({ id, zone }: TargetDescription, group: TargetGroup, world: World): void {
  const kind = group.ipAddressType === "ipv6" ? 6 : 4;
  if (isIP(id) !== kind) throw validationError(`The IP address '${id}' is not a valid IPv${kind} address`);
  const machine = world.machineOf(id, group.vpcId);
  if (machine?.owns(id, group.vpcId)) return;
  if (kind === 4 && !PRIVATE.some((range) => range.test(id)))
    throw validationError(`The IP address '${id}' is publicly routable and cannot be registered as a target`);
  if (machine !== undefined && zone === undefined)
    throw validationError(
      `You must specify an Availability Zone for the IP address '${id}', which is outside the VPC '${group.vpcId}'`,
    );
}

/** RFC 1918, and RFC 6598 (100.64.0.0/10). */
const PRIVATE = [/^10\./, /^172\.(1[6-9]|2\d|3[01])\./, /^192\.168\./, /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./];
