import { isIPv6 } from "node:net";
import { idOf, type Node, type Registration } from "../drain/cloud-provider.ts";
import { addressesOf, NodeAddresses, prefixesOf } from "./node-addresses.ts";
import type { TargetGroup } from "./target-group.ts";

type ById = ReadonlyMap<string, readonly Registration[]>;

/**
 * The known members of target groups, by instance id and address. It is sorted when a caller asks, and kept until
 * something changes, because a wave of nodes asks at once.
 */
export class MembersById {
  readonly #groups: () => Iterable<TargetGroup>;
  #byId: ById | undefined;

  constructor(groups: () => Iterable<TargetGroup>) {
    this.#groups = groups;
  }

  changed(): void {
    this.#byId = undefined;
  }

  /** Every instance id and address that is registered. */
  ids(): Iterable<string> {
    return this.#ordered().keys();
  }

  /** By the instance's id. */
  ofInstance({ id }: Node): readonly Registration[] {
    return this.#ordered().get(id) ?? [];
  }

  /** By the known addresses of the node, in every network. */
  ofAddresses(node: Node): readonly Registration[] {
    const byId = this.#ordered();
    const addresses = [...addressesOf(node), ...(node.interfaces ?? [])];
    // An IPv4 address has only one form. For all others each must be compared.
    if (prefixesOf(node).length === 0 && !addresses.some(isIPv6))
      return [...new Set(addresses)].flatMap((one) => byId.get(one) ?? []);
    const own = new NodeAddresses(node);
    return [...byId].flatMap(([id, registrations]) => (own.has(id) ? registrations : []));
  }

  #ordered(): ById {
    if (this.#byId !== undefined) return this.#byId;
    const byId = new Map<string, Registration[]>();
    for (const { registrations } of this.#groups()) {
      for (const registration of registrations) {
        const id = idOf(registration.target);
        const known = byId.get(id);
        if (known === undefined) byId.set(id, [registration]);
        else known.push(registration);
      }
    }
    this.#byId = byId;
    return byId;
  }
}
