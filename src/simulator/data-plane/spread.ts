import type { Target, TargetGroup } from "../world/target-group.ts";
import { MACHINES } from "./passages.ts";

/** Each choice has a hash of its own: with one for all, flows to one group would know one of its targets alone. */
const HASH_SEEDS = { machine: 0x2545f491, zone: 0x9e3779b1, group: 0x4f6cdd1d, target: 0x1b873593 };

/** Spreads client ports evenly, neighbouring ones too. A whole number, always the same for the same client. */
export function flowHash(client: number, choice: keyof typeof HASH_SEEDS): number {
  let hash = client ^ HASH_SEEDS[choice];
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A number for a text, to be hashed like a port. */
export function numberOf(text: string): number {
  let number = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) number = Math.imul(number ^ text.charCodeAt(at), 0x01000193);
  return number >>> 0;
}

/** A client's connection comes in through one of a load balancer's machines, and stays there. */
export function machineFor(client: number): number {
  return flowHash(client, "machine") % MACHINES;
}

/** One of these, always the same for the same client. */
export function zoneFor(client: number, zones: readonly string[] | undefined): string | undefined {
  return zones?.[flowHash(client, "zone") % Math.max(1, zones.length)];
}

/**
 * Who may get what the client sends. Without cross-zone load balancing the client has resolved the address of one zone,
 * whose node knows that zone's targets alone.
 */
export function receiversOf(
  group: TargetGroup | undefined,
  client: number,
  now: number,
): { readonly zone?: string | undefined; readonly targets: readonly Target[] } {
  const zone = zoneFor(client, group?.entryZones(now));
  return { zone, targets: group?.routable(now, machineFor(client), MACHINES, zone) ?? [] };
}

export function registrationKey({ arn }: TargetGroup, { id, port, zone }: Target): string {
  return `${arn} ${id} ${port} ${zone ?? ""}`;
}
