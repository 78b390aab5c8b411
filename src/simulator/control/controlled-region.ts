import type { DataPlane } from "../data-plane/data-plane.ts";
import type { BuiltWorld } from "../scenario/build-world.ts";
import type { Simulator } from "../simulator.ts";
import type { Instance } from "../world/instance.ts";
import { ControlProblem } from "./control-problem.ts";
import type { TargetRecord } from "./target-record.ts";

/** The beginning of every path of the control API. No simulated API of AWS has a path of its own. */
export const CONTROL_PREFIX = "/_simulator/";

/** The region that the control API controls. */
export interface ControlledRegion extends Pick<BuiltWorld, "world" | "idsOf" | "instanceIds"> {
  readonly simulator: Simulator;
  /** Absent if its load balancers carry no traffic. */
  readonly plane: DataPlane | undefined;
  readonly metadata: readonly { readonly instanceId: string; readonly url: string }[];
  readonly targets: TargetRecord;
}

/** The machines of a request: those that it names, or all of a zone. */
export type MachinesGiven = { readonly instances: readonly string[] } | { readonly zone: string };

/** Throws if a name is not a machine's, or if none is in the zone. Terminated machines of a zone are ignored. */
export function machinesGiven(given: MachinesGiven, region: ControlledRegion): readonly Instance[] {
  if ("instances" in given) return namedMachines(given.instances, region);
  const inZone = [...region.world.instances.values()].filter(
    ({ zone, terminatedAt }) => zone === given.zone && terminatedAt === undefined,
  );
  if (inZone.length > 0) return inZone;
  const zones = [...new Set([...region.world.instances.values()].map(({ zone }) => zone))].sort();
  throw new ControlProblem(404, `no machine is in the zone '${given.zone}': machines are in ${zones.join(", ")}`);
}

/** By ids, by their names in the scenario, or by entries of the scenario. Throws if a name is not a machine's. */
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

/** A machine as a message names it: `node-1 (i-…)`, or by its id alone if the scenario has no name for it. */
export function calledIn({ instanceIds }: ControlledRegion, { id }: Instance): string {
  const [name] = [...instanceIds].find(([, its]) => its === id) ?? [];
  return name === undefined ? id : `${name} (${id})`;
}
