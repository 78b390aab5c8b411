import { AwsError, invalidSecurityGroup, validationError } from "../aws-error.ts";
import type { ZoneAddress } from "../world/load-balancer.ts";
import type { World } from "../world/world.ts";
import { type Params, requiredText, structures, text, texts } from "./params.ts";

/** The place of a load balancer's subnets. */
export interface Place {
  readonly vpcId: string;
  readonly zones: readonly string[];
  /** By zone, for those in which the call gives an address. */
  readonly addresses: ReadonlyMap<string, ZoneAddress>;
}

/** From `Subnets`, or from `SubnetMappings`: a subnet each, and the load balancer's address in it. */
export function placeOfSubnets(params: Params, region: string): Place {
  const mappings = structures(params, "SubnetMappings");
  const subnets = texts(params, "Subnets");
  if (mappings !== undefined && subnets !== undefined)
    throw validationError("You can specify subnets or subnet mappings, but not both");
  const places = (mappings ?? []).map((mapping) => ({
    ...placeOf(requiredText(mapping, "SubnetId"), region),
    address: addressOf(mapping),
  }));
  if (mappings === undefined && subnets === undefined)
    throw validationError("You must specify subnets or subnet mappings");
  const plain = subnets ?? [];
  const all = [...places, ...plain.map((subnet) => ({ ...placeOf(subnet, region), address: {} }))];
  const zones = all.map(({ zone }) => zone);
  if (new Set(zones).size < zones.length)
    throw new AwsError(
      "InvalidConfigurationRequest",
      "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
    );
  const withAddress = all.filter(({ address }) => Object.keys(address).length > 0);
  return {
    vpcId: all[0]?.vpcId ?? "",
    zones,
    addresses: new Map(withAddress.map(({ zone, address }) => [zone, address])),
  };
}

/** A subnet is named for its VPC, and for its zone or that zone's letter: `subnet-VPC-ZONE`. See `Networks`. */
function placeOf(subnet: string, region: string): { readonly vpcId: string; readonly zone: string } {
  const [, vpcId, zone = ""] = /^subnet-(vpc-[0-9a-z]+)-(.+)$/.exec(subnet) ?? [];
  if (vpcId === undefined) throw new AwsError("SubnetNotFound", `The subnet ID '${subnet}' does not exist`);
  return { vpcId, zone: zone.length === 1 ? region + zone : zone };
}

function addressOf(mapping: Params): ZoneAddress {
  const allocationId = text(mapping, "AllocationId");
  const privateIp = text(mapping, "PrivateIPv4Address");
  const ipv6 = text(mapping, "IPv6Address");
  return {
    ...(allocationId === undefined ? {} : { allocationId }),
    ...(privateIp === undefined ? {} : { privateIp }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
  };
}

/** Security groups by their ids, each in this VPC. Undefined if the call has none. */
export function readSecurityGroups(params: Params, vpcId: string, world: World): readonly string[] | undefined {
  const ids = texts(params, "SecurityGroups");
  const all = world.securityGroups.all;
  const stray = ids?.find((id) => !all.some((group) => group.id === id && group.vpcId === vpcId));
  if (stray !== undefined) throw invalidSecurityGroup(stray);
  return ids;
}
