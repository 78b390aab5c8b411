import { isIP } from "node:net";
import { AwsError, validationError } from "../aws-error.ts";
import type { TargetDescription, TargetGroup } from "../world/target-group.ts";
import { type Bounds, integer, type Params, requiredText, text, texts } from "./params.ts";

export const PORT: Bounds = [1, 65_535];
const INSTANCE_ID = /^i-[0-9a-f]{8,17}$/;

/** Reads one entry of `Targets`, checked against what the group takes. */
export function targetDescription(params: Params, group: TargetGroup): TargetDescription {
  const id = requiredText(params, "Id");
  const port = integer(params, "Port", PORT);
  const zone = text(params, "AvailabilityZone");
  if (group.targetType === "instance" && !INSTANCE_ID.test(id)) {
    throw validationError(`Instance ID '${id}' is not valid`);
  }
  if (group.targetType === "ip" && isIP(id) === 0) {
    throw validationError(`The IP address '${id}' is not a valid IPv4 address`);
  }
  return { id, ...(port === undefined ? {} : { port }), ...(zone === undefined ? {} : { zone }) };
}

/** Networks are not simulated: a subnet is named for its VPC, `subnet-<vpc>-<anything>`. */
export function vpcOfSubnet(params: Params): string {
  const subnet = texts(params, "Subnets")?.[0] ?? "";
  const vpcId = /^subnet-(vpc-[0-9a-z]+)/.exec(subnet)?.[1];
  if (vpcId === undefined) throw new AwsError("SubnetNotFound", `The subnet ID '${subnet}' does not exist`);
  return vpcId;
}
