import { BlockList, isIP, isIPv6 } from "node:net";
import type { Instance, NetworkInterface } from "@aws-sdk/client-ec2";
import type { Node, NodeNetwork } from "../drain/cloud-provider.ts";

/** The length of a prefix. */
const DIGITS = /^\d{1,3}$/;

/** The common part of an instance's own interfaces and its branch interfaces. */
type Interface = Pick<
  NetworkInterface,
  "NetworkInterfaceId" | "VpcId" | "PrivateIpAddresses" | "Ipv6Addresses" | "Ipv4Prefixes" | "Ipv6Prefixes"
>;

/**
 * The addresses of an instance by VPC. An interface may be in another VPC than its instance, and its addresses belong
 * only to that VPC. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html
 */
export function networksOf(
  instance: Instance,
  branches: readonly Interface[] = [],
): Pick<Node, "network" | "addresses" | "addressPrefixes" | "interfaces" | "otherNetworks"> {
  const { VpcId: network = "", PrivateIpAddress = "" } = instance;
  const byNetwork = new Map<string, Interface[]>([[network, []]]);
  const interfaces = [...(instance.NetworkInterfaces ?? []), ...branches];
  for (const each of interfaces) {
    const own = each.VpcId ?? network;
    byNetwork.set(own, [...(byNetwork.get(own) ?? []), each]);
  }
  const all = [...byNetwork].map(([id, interfaces]) => networkOf(id, interfaces));
  const [first, ...otherNetworks] = all as [NodeNetwork, ...NodeNetwork[]];
  return {
    network,
    addresses: [...new Set([PrivateIpAddress, ...first.addresses].filter(isPresent))],
    addressPrefixes: first.addressPrefixes,
    interfaces: interfaces.map(({ NetworkInterfaceId }) => NetworkInterfaceId).filter(isPresent),
    ...(otherNetworks.length === 0 ? {} : { otherNetworks }),
  };
}

function networkOf(network: string, interfaces: readonly Interface[]): NodeNetwork {
  const addresses = interfaces.flatMap(({ PrivateIpAddresses, Ipv6Addresses }) => [
    ...(PrivateIpAddresses ?? []).map(({ PrivateIpAddress }) => PrivateIpAddress),
    ...(Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address),
  ]);
  const prefixes = interfaces.flatMap(({ Ipv4Prefixes, Ipv6Prefixes }) => [
    ...(Ipv4Prefixes ?? []).map(({ Ipv4Prefix }) => Ipv4Prefix),
    ...(Ipv6Prefixes ?? []).map(({ Ipv6Prefix }) => Ipv6Prefix),
  ]);
  return {
    network,
    addresses: [...new Set(addresses.filter(isPresent))],
    addressPrefixes: prefixes.filter(isPresent),
  };
}

export function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined && value !== "";
}

/** Every network in which the node has an address, its own first. */
export function networkIdsOf({ network, otherNetworks = [] }: Node): readonly string[] {
  return [network, ...otherNetworks.map((other) => other.network)];
}

/** Every address of the node and of its pods, in all networks. */
export function addressesOf({ addresses, otherNetworks = [], podAddresses = [] }: Node): readonly string[] {
  return [...addresses, ...otherNetworks.flatMap((other) => other.addresses), ...podAddresses];
}

export function prefixesOf({ addressPrefixes, otherNetworks = [] }: Node): readonly string[] {
  return [...addressPrefixes, ...otherNetworks.flatMap((other) => other.addressPrefixes)];
}

/**
 * Whose target it is.
 * - `own`: the node's.
 * - `outside`: an address of the node outside the group's network. It is the node's, unless another machine has it too.
 *   The same applies to the address of a pod that no interface of the node has, because a network of the cluster's own
 *   may use it a second time.
 * - `doubtful`: it may be the node's, or that of a machine in the group's network with the same address.
 */
export type Claim = "own" | "outside" | "doubtful";

/** Decides whose targets are, from the addresses of a node. */
export class NodeAddresses {
  readonly #networks: readonly NodeNetwork[];
  /** Made for the first target by address: most nodes are registered by their ids, and a list takes a kilobyte. */
  #lists: ReadonlyMap<string, BlockList> | undefined;
  readonly #interfaces: ReadonlySet<string>;
  readonly #network: string;
  readonly #pods: ReadonlySet<string>;

  constructor(node: Node) {
    const { network, addresses, addressPrefixes, interfaces = [], otherNetworks = [], podAddresses } = node;
    this.#interfaces = new Set(interfaces);
    this.#network = network;
    this.#pods = new Set(podAddresses);
    this.#networks = [{ network, addresses, addressPrefixes }, ...otherNetworks];
    // What is not an address must fail here, for this node alone: the read of a group is shared by all nodes.
    if (!this.#networks.every(hasAddressesOnly)) this.#lists = listsOf(this.#networks);
  }

  get #byNetwork(): ReadonlyMap<string, BlockList> {
    this.#lists ??= listsOf(this.#networks);
    return this.#lists;
  }

  /** Whether it is the address of the node or of a pod in one of its networks, or the id of one of its interfaces. */
  has(address: string): boolean {
    if (this.#interfaces.has(address) || this.#pods.has(address)) return true;
    return [...this.#byNetwork.values()].some((own) => contains(own, address));
  }

  /** `has`, within one network. */
  hasIn(network: string, address: string): boolean {
    if (this.#interfaces.has(address)) return true;
    const own = this.#byNetwork.get(network);
    return own !== undefined && contains(own, address);
  }

  /**
   * Whose target an address in a group of `network` is. AWS lists an address outside the group's VPC with the zone
   * `all`, or with the one that it was registered with, and an address within the VPC always with its own zone.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
   */
  claim(network: string, address: string, zone: string | undefined): Claim | undefined {
    if (this.hasIn(network, address)) return "own";
    if (!this.has(address)) return undefined;
    if (network === this.#network && this.#pods.has(address)) return "outside";
    if (zone === "all") return "outside";
    // In this network the node has other addresses, so this one is another machine's.
    return this.#byNetwork.has(network) ? undefined : "doubtful";
  }
}

function hasAddressesOnly({ addresses, addressPrefixes }: NodeNetwork): boolean {
  return addresses.every((address) => isIP(address) !== 0) && addressPrefixes.every(isPrefix);
}

function isPrefix(prefix: string): boolean {
  const [network = "", bits = ""] = prefix.split("/");
  return isIP(network) !== 0 && DIGITS.test(bits) && Number(bits) <= (isIPv6(network) ? 128 : 32);
}

/** Throws if there is anything that is not an address. */
function listsOf(networks: readonly NodeNetwork[]): ReadonlyMap<string, BlockList> {
  return new Map(networks.map((each) => [each.network, blockListOf(each)]));
}

function blockListOf({ addresses, addressPrefixes }: NodeNetwork): BlockList {
  const own = new BlockList();
  for (const address of addresses) own.addAddress(address, isIPv6(address) ? "ipv6" : "ipv4");
  for (const prefix of addressPrefixes) {
    const [network = "", bits] = prefix.split("/");
    own.addSubnet(network, Number(bits), isIPv6(network) ? "ipv6" : "ipv4");
  }
  return own;
}

function contains(own: BlockList, address: string): boolean {
  return isIP(address) !== 0 && own.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
