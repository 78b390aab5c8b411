import { BlockList, isIPv6 } from "node:net";

/** Addresses of an interface, and the blocks that are delegated to it. */
export interface InterfaceAddresses {
  /** The first one is the primary one. */
  readonly privateIps: readonly string[];
  readonly ipv6Addresses?: readonly string[];
  readonly ipv4Prefixes?: readonly string[];
  readonly ipv6Prefixes?: readonly string[];
}

/** A further interface of an instance. */
export interface InterfaceInput extends InterfaceAddresses {
  /** Default: the instance's. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html */
  readonly vpcId?: string;
  /**
   * Interfaces of pods with security groups of their own. An interface that has them is a trunk.
   * https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html
   */
  readonly branches?: readonly (InterfaceAddresses & { readonly vpcId?: string })[];
}

export interface NetworkInterface extends Required<InterfaceAddresses> {
  readonly id: string;
  readonly vpcId: string;
  readonly type: "interface" | "trunk" | "branch";
  /** The trunk that a branch hangs on. It has no attachment to the instance, so DescribeInstances leaves it out. */
  readonly trunkId?: string;
}

/** Every interface of an instance: its first one, the further ones, and their branches. */
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

/** The instance's digits, with the interface's number in the first ones. */
function interfaceId(instanceId: string, number: number): string {
  const digits = instanceId.slice("i-".length);
  const first = BigInt(number) << BigInt(4 * (digits.length - 3));
  return `eni-${(BigInt(`0x${digits}`) ^ first).toString(16).padStart(digits.length, "0")}`;
}

/** `02:00:00:00:00:01`, of the last digits of its id. */
export function macOf({ id }: Pick<NetworkInterface, "id">): string {
  return `02:${(id.slice(-10).match(/../g) ?? []).join(":")}`;
}

/** Whether one of the interfaces has the address, by itself or by a block. */
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
