import { AwsError } from "../aws-error.ts";
import { type Params, texts } from "./params.ts";

/** Networks are not simulated: a subnet is named for its VPC, `subnet-<vpc>-<anything>`. */
export function vpcOfSubnet(params: Params): string {
  const subnet = texts(params, "Subnets")?.[0] ?? "";
  const vpcId = /^subnet-(vpc-[0-9a-z]+)/.exec(subnet)?.[1];
  if (vpcId === undefined) throw new AwsError("SubnetNotFound", `The subnet ID '${subnet}' does not exist`);
  return vpcId;
}
