import { type CellResult, HOLDS_MS } from "./scene.ts";

/** The machines of each load balancer, which learn of a deregistration one after the other. */
const MACHINES = [0, 1];

/** In what the world contradicts an outcome that lets the node go. Pools that have vanished send nobody anything. */
export function contradictions({ outcome, region, node, leftAt, endedAt }: CellResult): readonly string[] {
  if (outcome.status !== "drained" && outcome.status !== "nothing-registered") return [];
  const found: string[] = [];
  const { targetGroups, classics } = region.world;
  for (const group of targetGroups.values()) {
    const isNode = ({ id }: { readonly id: string }) => id === node.id || id === node.privateIp;
    const isRouted = (machine: number) => group.routable(endedAt, machine, MACHINES.length).some(isNode);
    if (group.listed(endedAt).some((target) => isNode(target) && target.deregisteredAt === undefined))
      found.push(`the node is registered in ${group.name}`);
    if (MACHINES.some(isRouted)) found.push(`${group.name} sends it new traffic`);
  }
  for (const classic of classics.values()) {
    const isRouted = (machine: number) => classic.routable(endedAt, machine, MACHINES.length).includes(node.id);
    if (classic.isRegistered(node.id)) found.push(`the node is registered in ${classic.name}`);
    if (MACHINES.some(isRouted)) found.push(`${classic.name} sends it new traffic`);
  }
  const exist = new Set([...targetGroups.values(), ...classics.values()].map(({ name }) => name));
  for (const [name, holdMs] of Object.entries(HOLDS_MS)) {
    if (!exist.has(name)) continue;
    const outMs = endedAt - (leftAt.get(name) ?? Number.POSITIVE_INFINITY);
    if (outMs < holdMs) found.push(`the node was out of ${name} for ${outMs} ms, and it is to be held ${holdMs} ms`);
  }
  return found;
}
