import { newAbort } from "../drain/abort.ts";
import {
  type CallFor,
  type FoundRegistrations,
  idOf,
  type Node,
  type Pool,
  type Registration,
} from "../drain/cloud-provider.ts";
import type { MembersById } from "./members.ts";
import { NodeAddresses } from "./node-addresses.ts";
import { NodeSearch, PoolNumbers } from "./node-search.ts";
import type { Pools } from "./pools.ts";
import { listedZoneOf } from "./target-groups.ts";

/** It makes no call. */
const BY_NOBODY: CallFor = {
  urgency: () => ({ purpose: "verify", deadline: Number.POSITIVE_INFINITY }),
  signal: newAbort().signal,
};

/** What reads of pools show about one node. */
export class Memory {
  readonly #pools: () => Pools;
  readonly #members: MembersById;

  constructor(pools: () => Pools, members: MembersById) {
    this.#pools = pools;
    this.#members = members;
  }

  /** The node's registrations by its id, at the last read. */
  of(node: Node): readonly Registration[] {
    const inClassics = this.#pools()
      .classicsOf(node)
      .flatMap((classic) => classic.listedOf(node));
    return [...this.#around(node, this.#members.ofInstance(node)), ...inClassics];
  }

  /** By the addresses that it has in the group's own network. For other addresses the owner must be read first. */
  byAddress(node: Node): readonly Registration[] {
    const addresses = new NodeAddresses(node);
    return this.#around(node, this.#members.ofAddresses(node)).filter(({ pool, target }) =>
      addresses.hasIn(this.#networkOf(pool), idOf(target)),
    );
  }

  /** The time of the oldest read of the node's pools. `-Infinity`: one of them was not read. */
  since(node: Node): number {
    const pools = this.#pools();
    return Math.min(pools.listedAt, ...pools.groupsOf(node).map(({ readAt }) => readAt));
  }

  /** Since when the members of all of the node's groups have been known. `Infinity`: those of one are not. */
  knownSince(node: Node): number {
    return Math.max(
      Number.NEGATIVE_INFINITY,
      ...this.#pools()
        .groupsOf(node)
        .map((group) => group.knownSince),
    );
  }

  /**
   * Everything that is known, whatever its age. Addresses in other networks are in doubt, because only a call could
   * show whether other machines have them. Undefined if one of the pools was never read.
   */
  lastKnown(
    node: Node,
    isMeant: (pool: Pool) => boolean | undefined,
  ): (FoundRegistrations & { readonly asOf: number }) | undefined {
    const asOf = this.since(node);
    if (!Number.isFinite(asOf)) return undefined;
    const search = new NodeSearch(node, BY_NOBODY, { purpose: "verify", since: 0, pools: new PoolNumbers() });
    search.means(isMeant);
    for (const registration of this.of(node)) search.saw(registration.pool, [registration]);
    const addresses = new NodeAddresses(node);
    for (const registration of this.#around(node, this.#members.ofAddresses(node))) {
      const { pool, target } = registration;
      const [network, address, zone] = [this.#networkOf(pool), idOf(target), listedZoneOf(registration)];
      const claim = addresses.claim(network, address, zone);
      if (claim === "own") search.saw(pool, [registration]);
      if (claim === "doubtful") search.saw(pool, [{ ...registration, doubt: doubtfulZone(address, zone, network) }]);
      const unasked = `AWS was not asked which other machines have ${address}`;
      if (claim === "outside") search.saw(pool, [{ ...registration, doubt: unasked }]);
    }
    return { ...(search.take() ?? { registrations: [], elsewhere: [] }), asOf };
  }

  #networkOf({ id }: Pool): string {
    return this.#pools().groups.get(id)?.network ?? "";
  }

  #around(node: Node, registrations: readonly Registration[]): readonly Registration[] {
    const pools = this.#pools();
    return registrations.filter(({ pool }) => {
      const group = pools.groups.get(pool.id);
      return group !== undefined && pools.isAround(node, group);
    });
  }
}

export function doubtfulZone(address: string, zone: string | undefined, network: string): string {
  const where = zone === undefined ? "no zone" : `the zone ${zone}`;
  const whose = network === "" ? "a VPC that AWS does not name" : network;
  return `AWS lists ${address} with ${where}, not with the zone 'all', so that it may be the address of another machine in ${whose}`;
}
