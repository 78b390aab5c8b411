import type { DataPlane } from "../data-plane/data-plane.ts";
import type { BuiltWorld } from "../scenario/build-world.ts";
import type { Simulator } from "../simulator.ts";
import type { Instance } from "../world/instance.ts";
import { ControlProblem } from "./control-problem.ts";

/** Every path of the control API begins so. No API of AWS's that is simulated has a path of its own. */
export const CONTROL_PREFIX = "/_simulator/";

/** What the control API acts upon. */
export interface ControlledRegion extends Pick<BuiltWorld, "world" | "idsOf" | "instanceIds"> {
  readonly simulator: Simulator;
  /** Absent where its load balancers carry no traffic. */
  readonly plane: DataPlane | undefined;
  readonly metadata: readonly { readonly instanceId: string; readonly url: string }[];
}

/** Which machines a request is about: those that it names, or all of a zone. */
export type MachinesGiven = { readonly instances: readonly string[] } | { readonly zone: string };

/** Throws where a name is no machine's, or where none is in the zone. Those that are terminated are left out of a zone. */
export function machinesGiven(given: MachinesGiven, region: ControlledRegion): readonly Instance[] {
  if ("instances" in given) return namedMachines(given.instances, region);
  const inZone = [...region.world.instances.values()].filter(
    ({ zone, terminatedAt }) => zone === given.zone && terminatedAt === undefined,
  );
  if (inZone.length > 0) return inZone;
  const zones = [...new Set([...region.world.instances.values()].map(({ zone }) => zone))].sort();
  throw new ControlProblem(404, `no machine is in the zone '${given.zone}': machines are in ${zones.join(", ")}`);
}

/** By ids, by what the scenario calls them, or by entries of the scenario. Throws where a name is no machine's. */
export function namedMachines(names: readonly string[], { world, idsOf }: ControlledRegion): readonly Instance[] {
  const unknown = names.filter((name) => idsOf([name]).length === 0);
  if (unknown.length > 0) {
    const text = unknown.map((name) => `'${name}'`).join(", ");
    throw new ControlProblem(404, `no machine has the name or id ${text}: GET /_simulator/state lists all machines`);
  }
  return idsOf(names)
    .map((id) => world.instance(id))
    .filter((instance) => instance !== undefined);
}
