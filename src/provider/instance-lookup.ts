import { isIPv6, SocketAddress } from "node:net";
import type { Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import type { NodeReference } from "../drain/request.ts";
import { describeInstances } from "./instances.ts";

/**
 * ::ffff:10.0.0.1, the form in which programs that also listen on IPv6 write an IPv4 address.
 * https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
 */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;

/** EC2 compares strings. It has IPv6 addresses in their shortest form, and IPv4 addresses in their own. */
export function asEc2Writes(reference: NodeReference): NodeReference {
  const { by, value } = reference;
  if (by !== "ip" || !isIPv6(value)) return reference;
  const { address } = new SocketAddress({ address: value, family: "ipv6" });
  return { by, value: MAPPED.exec(address)?.[1] ?? address };
}

/** Finds instances by the names that people use: one call for all that ask before it is sent. */
export class InstanceLookup {
  readonly #lookups: Readonly<Record<NodeReference["by"] | "ipv6", SharedCall<string, readonly Instance[]>>>;

  constructor(aws: AwsAccess, clock: Clock) {
    const by = (filter: string) =>
      new SharedCall<string, readonly Instance[]>(
        (values, call) => describeInstances(aws, { filter }, values, call),
        clock,
      );
    this.#lookups = {
      id: by("instance-id"),
      ip: by("network-interface.addresses.private-ip-address"),
      ipv6: by("network-interface.ipv6-addresses.ipv6-address"),
      name: by("private-dns-name"),
    };
  }

  /**
   * Every instance that matches the reference, including terminated ones. An address must have the form that EC2 uses.
   */
  async find(reference: NodeReference, by: CallFor): Promise<readonly Instance[]> {
    const kind = reference.by === "ip" && isIPv6(reference.value) ? "ipv6" : reference.by;
    const { value } = reference;
    const found = await this.#lookups[kind].ask(value, by);
    return found.filter((instance) => namesOf(kind, instance).includes(value));
  }
}

function namesOf(kind: NodeReference["by"] | "ipv6", instance: Instance): readonly (string | undefined)[] {
  const interfaces = instance.NetworkInterfaces ?? [];
  switch (kind) {
    case "id":
      return [instance.InstanceId];
    case "name":
      return [instance.PrivateDnsName];
    case "ip":
      return interfaces.flatMap(({ PrivateIpAddresses }) =>
        (PrivateIpAddresses ?? []).map(({ PrivateIpAddress }) => PrivateIpAddress),
      );
    case "ipv6":
      return interfaces.flatMap(({ Ipv6Addresses }) => (Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address));
    default:
      return kind satisfies never;
  }
}
