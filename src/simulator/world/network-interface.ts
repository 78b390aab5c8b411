import { BlockList, isIPv6 } from "node:net";

/** The addresses of an interface, and the prefixes that are delegated to it. */
export interface InterfaceAddresses {
  /** The first address is the primary one. */
  readonly privateIps: readonly string[];
  readonly ipv6Addresses?: readonly string[];
  readonly ipv4Prefixes?: readonly string[];
  readonly ipv6Prefixes?: readonly string[];
}

/** A further interface of an instance. */
export interface InterfaceInput extends InterfaceAddresses {
  /** Default: the instance's VPC. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html */
  readonly vpcId?: string;
  /**
   * Branch interfaces, for pods with their own security groups. An interface that has branches is a trunk.
   * https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html
   */
  readonly branches?: readonly (InterfaceAddresses & { readonly vpcId?: string })[];
}

export interface NetworkInterface extends Required<InterfaceAddresses> {
  readonly id: string;
  readonly vpcId: string;
  readonly type: "interface" | "trunk" | "branch";
  /** The trunk of a branch. A branch is not attached to the instance, so DescribeInstances does not contain it. */
  readonly trunkId?: string;
}

/** All interfaces of an instance: the first one, the further ones, and their branches. */
export function interfacesOf(
  instance: { readonly id: string; readonly vpcId: string },
  first: InterfaceAddresses,
  further: readonly InterfaceInput[],
): readonly NetworkInterface[] {
  const interfaces: NetworkInterface[] = [];
  const add = (addresses: InterfaceAddresses, rest: Pick<NetworkInterface, "vpcId" | "type" | "trunkId">) => {
    const { privateIps, ipv6Addresses = [], ipv4Prefixes = [], ipv6Prefixes = [] } = addresses;
    const id = interfaceId(instance.id, interfaces.length);
    interfaces.push({ id, privateIps, ipv6Addresses, ipv4Prefixes, ipv6Prefixes, ...rest });
    return id;
  };
  add(first, { vpcId: instance.vpcId, type: "interface" });
  for (const { vpcId = instance.vpcId, branches = [], ...addresses } of further) {
    const trunkId = add(addresses, { vpcId, type: branches.length === 0 ? "interface" : "trunk" });
    for (const { vpcId: own = vpcId, ...branch } of branches) add(branch, { vpcId: own, type: "branch", trunkId });
  }
  return interfaces;
}

/** The digits of the instance's id. The first three also contain the number of the interface. */
function interfaceId(instanceId: string, number: number): string {
  const digits = instanceId.slice("i-".length);
  const first = BigInt(number) << BigInt(4 * (digits.length - 3));
  return `eni-${(BigInt(`0x${digits}`) ^ first).toString(16).padStart(digits.length, "0")}`;
}

/** `02:00:00:00:00:01`, made from the last digits of its id. */
export function macOf({ id }: Pick<NetworkInterface, "id">): string {
  return `02:${(id.slice(-10).match(/../g) ?? []).join(":")}`;
}

/** Returns a function that returns whether one of the interfaces has an address, directly or in a prefix. */
export function ownerIn(interfaces: readonly NetworkInterface[]): (address: string) => boolean {
  const list = new BlockList();
  for (const { privateIps, ipv6Addresses, ipv4Prefixes, ipv6Prefixes } of interfaces) {
    for (const address of [...privateIps, ...ipv6Addresses]) list.addAddress(address, familyOf(address));
    for (const prefix of [...ipv4Prefixes, ...ipv6Prefixes]) {
      const [network = "", bits] = prefix.split("/");
      list.addSubnet(network, Number(bits), familyOf(network));
    }
  }
  return (address) => list.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
