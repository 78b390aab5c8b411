import { type Instance, privateNameOf } from "../world/instance.ts";
import { macOf } from "../world/network-interface.ts";
import { subnetIdOf, VPC_CIDR } from "../world/networks.ts";
import { defaultIdOf } from "../world/security-groups.ts";
import type { World } from "../world/world.ts";

/** One metadata item. Returns its text, or undefined if the item does not exist now. */
export type Item = (instance: Instance, world: World) => string | undefined;

/**
 * The metadata items about the network interfaces of an instance. Branches are not attached to it, and have none.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
 */
export function interfaceItems({ interfaces, zone, privateIp, name }: Instance): Readonly<Record<string, Item>> {
  const attached = interfaces.filter(({ type }) => type !== "branch");
  const entries = attached.flatMap((one, index) => {
    const { id, vpcId, privateIps, ipv6Addresses, ipv4Prefixes, ipv6Prefixes } = one;
    const [first = ""] = privateIps;
    const subnetId = subnetIdOf(vpcId, zone);
    const items: Readonly<Record<string, Item>> = {
      "device-number": () => String(index),
      "interface-id": () => id,
      "ipv4-prefix": () => lines(ipv4Prefixes),
      "ipv6-prefix": () => lines(ipv6Prefixes),
      ipv6s: () => lines(ipv6Addresses),
      "local-hostname": (_, { region }) => (first === privateIp ? name : privateNameOf(first, region)),
      "local-ipv4s": () => lines(privateIps),
      mac: () => macOf(one),
      "network-card": () => "0",
      "owner-id": (_, { accountId }) => accountId,
      "security-group-ids": () => defaultIdOf(vpcId),
      "security-groups": () => "default",
      "subnet-id": () => subnetId,
      "subnet-ipv4-cidr-block": (_, { networks }) => networks.subnets.find((subnet) => subnet.id === subnetId)?.cidr,
      "vpc-id": () => vpcId,
      "vpc-ipv4-cidr-block": () => VPC_CIDR,
      "vpc-ipv4-cidr-blocks": () => VPC_CIDR,
    };
    return Object.entries(items).map(
      ([item, text]) => [`meta-data/network/interfaces/macs/${macOf(one)}/${item}`, text] as const,
    );
  });
  return Object.fromEntries(entries);
}

function lines(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join("\n");
}
