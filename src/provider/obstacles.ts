import { addressOf, type CallFor, idOf, type Node, type Registration } from "../drain/cloud-provider.ts";
import { NodeAddresses, networkIdsOf } from "./node-addresses.ts";
import type { Pools } from "./pools.ts";
import { listedZoneOf } from "./target-groups.ts";

export interface ObstaclesOptions {
  readonly pools: Pools;
  /** The node with its current addresses. */
  readonly asItIsNow: (node: Node, by: CallFor) => Promise<Node>;
}

/** See `CloudProvider.obstacles`. */
export async function obstaclesTo(
  registrations: readonly Registration[],
  node: Node,
  by: CallFor,
  { pools, asItIsNow }: ObstaclesOptions,
): Promise<ReadonlyMap<Registration, string>> {
  const networkOf = (pool: Registration["pool"]) => pools.listed(pool)?.network;
  const isUnknown = ({ pool }: Registration) => networkOf(pool) === undefined;
  const someByAddress = registrations.some((one) => addressOf(one) !== undefined);
  const [now] = await Promise.all([
    someByAddress ? asItIsNow(node, by) : node,
    registrations.some(isUnknown) ? pools.refresh(by) : undefined,
  ]);
  const own = new NodeAddresses(now);
  const networks = networkIdsOf(now);
  /**
   * Outside the node's networks it can be registered only as an address that AWS lists as outside the group's network.
   */
  const isWithin = (network: string, one: Registration) =>
    networks.includes(network) || (addressOf(one) !== undefined && listedZoneOf(one) === "all");
  const obstacles = new Map<Registration, string>();
  for (const registration of registrations) {
    const { pool, target } = registration;
    const network = networkOf(pool);
    const address = addressOf(registration);
    if (network === undefined) obstacles.set(registration, `${pool.name} no longer exists`);
    else if (!isWithin(network, registration))
      obstacles.set(registration, `${pool.name} is in ${network}, and the node in ${networks.join(" and ")}`);
    else if (address !== undefined && own.claim(network, address, listedZoneOf(registration)) === undefined)
      obstacles.set(registration, `${address} is no longer an address of ${node.id}`);
    else if (address === undefined && idOf(target) !== node.id)
      obstacles.set(registration, `${idOf(target)} is another machine than ${node.id}`);
  }
  return obstacles;
}
