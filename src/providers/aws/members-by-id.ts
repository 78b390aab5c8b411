import { isIPv6 } from "node:net";
import type { Node, Registration } from "../../drain/cloud-provider.ts";
import { addressMatcher } from "./addresses.ts";
import type { KnownGroup } from "./pool-list.ts";
import { idOf } from "./target-groups.ts";

type ById = ReadonlyMap<string, readonly Registration[]>;

/**
 * What is remembered of target groups, by instance id and address. It is put in order when somebody asks, and kept until
 * something changes: a wave of nodes asks at once.
 */
export class MembersById {
  readonly #groups: () => Iterable<KnownGroup>;
  #byId: ById | undefined;

  constructor(groups: () => Iterable<KnownGroup>) {
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

  /** By the addresses that the node is known to have. */
  ofAddresses(node: Node): readonly Registration[] {
    const byId = this.#ordered();
    const { addresses, addressPrefixes } = node;
    // IPv4 addresses are written in one way only; of all others each must be looked at.
    if (addressPrefixes.length === 0 && !addresses.some(isIPv6)) return addresses.flatMap((one) => byId.get(one) ?? []);
    const isOwn = addressMatcher(node);
    const isAddress = (id: string) => id.includes(".") || id.includes(":");
    return [...byId].flatMap(([id, registrations]) => (isAddress(id) && isOwn(id) ? registrations : []));
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
