import { BlockList, isIPv6 } from "node:net";
import type { Node } from "../../drain/cloud-provider.ts";

/** Whether an address is the node's: one of its own, or from a block that is delegated to it. */
export function addressMatcher(node: Node): (address: string) => boolean {
  const own = new BlockList();
  for (const address of node.addresses) own.addAddress(address, isIPv6(address) ? "ipv6" : "ipv4");
  for (const prefix of node.addressPrefixes) {
    const [network = "", bits] = prefix.split("/");
    own.addSubnet(network, Number(bits), isIPv6(network) ? "ipv6" : "ipv4");
  }
  return (address) => own.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
