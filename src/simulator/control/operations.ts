import * as z from "zod";
import { simulatedActions } from "../api/answer.ts";
import { ScaledClock } from "../clock.ts";
import { AWS_QUOTAS } from "../quotas/quotas.ts";
import {
  interruption,
  rebalanceRecommendation,
  rootVolumeReplacement,
  scheduledEvent,
} from "../scenario/departure-schema.ts";
import { DEPARTURES, type Departures } from "../scenario/departures.ts";
import { fault, faultOf, quotas } from "../scenario/fault-schema.ts";
import { name, reference, seconds, wholeNumber, zone } from "../scenario/values.ts";
import type { Instance } from "../world/instance.ts";
import { ControlProblem } from "./control-problem.ts";
import {
  CONTROL_PREFIX,
  type ControlledRegion,
  type MachinesGiven,
  machinesGiven,
  namedMachines,
} from "./controlled-region.ts";
import { checkDeparture } from "./departure-checks.ts";
import { checkRunning, failMachine, recoverMachine, stopProgram } from "./machines.ts";
import { openApiDocument } from "./openapi.ts";
import { idsAnswer, nothing, type Operation, operation } from "./operation.ts";
import { regionState } from "./state.ts";
import { stateSchema } from "./state-schema.ts";

const SPEED_MAX = 1_000;
const CAPACITY_MAX = 10_000;

const machines: z.ZodType<MachinesGiven> = z.union(
  [
    z.strictObject({ instances: z.array(reference).min(1).describe("Names of machines, of entries, or ids.") }),
    z.strictObject({ zone: zone.describe("All machines of this zone.") }),
  ],
  { error: ({ input }) => `${machinesProblem(input)}give {"instances": ["a name or id"]} or {"zone": "a zone"}` },
);
const shift = z.strictObject({ loadBalancer: name.describe("Its name."), zone });
const clockAnswer = z.object({ now: z.string().describe("ISO 8601."), speed: z.number() });

export const OPERATIONS: readonly Operation[] = [
  {
    method: "GET",
    path: "health",
    summary: "200 once the region is ready: its load balancers listen, and its machines answer. 503 before.",
    answer: z.object({ status: z.literal("ok") }),
    run: () => ({ status: "ok" }),
  },
  {
    method: "GET",
    path: "openapi.json",
    summary: "This API as OpenAPI 3.1 describes it.",
    answer: z.record(z.string(), z.unknown()),
    run: () => openApiDocument(OPERATIONS),
  },
  {
    method: "GET",
    path: "actions",
    summary: "The actions of AWS that are simulated, by API.",
    answer: z.record(z.string(), z.array(z.string())),
    run: simulatedActions,
  },
  {
    method: "GET",
    path: "state",
    summary: "What exists, who gets traffic, what was carried and lost, and how often each action was called.",
    answer: stateSchema,
    run: regionState,
  },
  departure("interruptions", "EC2 takes machines back, with its warning.", interruption),
  departure("rebalanceRecommendations", "EC2 recommends to replace machines.", rebalanceRecommendation),
  departure("scheduledEvents", "AWS announces maintenance, and acts at its time.", scheduledEvent),
  departure("rootVolumeReplacements", "Auto Scaling gives members new root volumes.", rootVolumeReplacement),
  operation({
    method: "POST",
    path: "desired-capacity",
    summary: "Sets the desired capacity of an Auto Scaling group: it scales in or out, with its hooks.",
    body: z.strictObject({ group: reference, desiredCapacity: wholeNumber(0, CAPACITY_MAX) }),
    answer: idsAnswer,
    run: setDesiredCapacity,
  }),
  operation({
    method: "POST",
    path: "machine-failures",
    summary: "Machines fall silent without notice: EC2 goes on saying that they run.",
    body: machines,
    answer: idsAnswer,
    run: (region, given) => eachMachine(region, given, failMachine),
  }),
  operation({
    method: "POST",
    path: "program-stops",
    summary: "The programs of machines end: connections to them are refused, and health checks fail.",
    body: machines,
    answer: idsAnswer,
    run: (region, given) => eachMachine(region, given, stopProgram),
  }),
  operation({
    method: "POST",
    path: "recoveries",
    summary: "Machines that have failed, or whose program has ended, answer again.",
    body: machines,
    answer: idsAnswer,
    run: (region, given) => eachMachine(region, given, recoverMachine),
  }),
  operation({
    method: "POST",
    path: "zonal-shifts",
    summary: "Shifts the traffic of a load balancer away from one of its zones.",
    body: shift,
    run: shiftZone,
  }),
  {
    method: "DELETE",
    path: "zonal-shifts",
    summary: "Ends all zonal shifts.",
    answer: nothing,
    run({ world }) {
      for (const { zonalShifts } of world.loadBalancers.values()) zonalShifts.end(world.clock.now());
      return {};
    },
  },
  operation({
    method: "POST",
    path: "faults",
    summary: "Lets calls to AWS fail, be late or stay without an answer. Of several faults the first one strikes.",
    body: fault,
    run(region, given) {
      region.simulator.faults.add(faultOf(given, region.world.random.seed));
      return {};
    },
  }),
  {
    method: "DELETE",
    path: "faults",
    summary: "Ends all faults, also those of the scenario.",
    answer: nothing,
    run({ simulator }) {
      simulator.faults.clear();
      return {};
    },
  },
  operation({
    method: "PUT",
    path: "quotas",
    summary: "Throttles calls above these request quotas, every bucket full at first. `{}`: AWS's.",
    body: quotas,
    run({ simulator }, given) {
      simulator.limit({ ...AWS_QUOTAS, ...given });
      return {};
    },
  }),
  {
    method: "DELETE",
    path: "quotas",
    summary: "Ends the throttling.",
    answer: nothing,
    run({ simulator }) {
      simulator.limit(undefined);
      return {};
    },
  },
  operation({
    method: "PUT",
    path: "clock",
    summary: "Sets the speed: simulated seconds per real second. 0: time stands still.",
    body: z.strictObject({ speed: z.number().min(0).max(SPEED_MAX) }),
    answer: clockAnswer,
    run(region, { speed }) {
      return setClock(region, (clock) => clock.setSpeed(speed));
    },
  }),
  operation({
    method: "POST",
    path: "clock/advances",
    summary: "Lets simulated time pass at once.",
    body: z.strictObject({ seconds: seconds(0) }),
    answer: clockAnswer,
    run(region, given) {
      return setClock(region, async (clock) => {
        await clock.advance(given.seconds * 1_000);
        await region.plane?.processes.started();
      });
    },
  }),
];

/** The same as an entry of the scenario's list of that name, from now on. */
function departure<K extends keyof Departures>(
  key: K,
  summary: string,
  body: z.ZodType<Departures[K] & { readonly instances: readonly string[] }>,
): Operation {
  return operation({
    method: "POST",
    path: key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    summary,
    body,
    answer: idsAnswer,
    run(region, given) {
      const named = namedMachines(given.instances, region);
      region.world.catchUp();
      checkDeparture(key, named, region, (given.afterSeconds ?? 0) > 0);
      DEPARTURES[key](given, region);
      region.world.catchUp();
      return idsOf(named);
    },
  });
}

async function eachMachine(
  region: ControlledRegion,
  given: MachinesGiven,
  happen: (instance: Instance, region: ControlledRegion) => void | Promise<void>,
): Promise<object> {
  region.world.catchUp();
  const chosen = machinesGiven(given, region).filter(({ id }) => "instances" in given || region.world.isRunning(id));
  checkRunning(chosen, region);
  await Promise.all(chosen.map((instance) => happen(instance, region)));
  return idsOf(chosen);
}

function setDesiredCapacity(
  { world }: ControlledRegion,
  { group: name, desiredCapacity }: { readonly group: string; readonly desiredCapacity: number },
): object {
  world.catchUp();
  const group = world.autoScalingGroups.get(name);
  if (group === undefined) {
    const names = [...world.autoScalingGroups.keys()].join(", ") || "none";
    throw new ControlProblem(404, `there is no Auto Scaling group '${name}': the region's groups are ${names}`);
  }
  const { minSize, maxSize } = group;
  if (desiredCapacity < minSize || desiredCapacity > maxSize)
    throw new ControlProblem(
      409,
      `the group ${name} may have ${minSize} to ${maxSize} instances, not ${desiredCapacity}`,
    );
  if (desiredCapacity > group.desiredCapacity && group.launchMs === undefined)
    throw new ControlProblem(
      409,
      `the group ${name} launches nothing, so it stays at ${group.desiredCapacity} and can't have ${desiredCapacity}: give it launchSeconds in the scenario`,
    );
  const before = new Set(group.scaleIns);
  world.scaling.setCapacity(group, desiredCapacity, world.clock.now());
  world.catchUp();
  return { instances: group.scaleIns.filter((each) => !before.has(each)).map(({ instanceId }) => instanceId) };
}

function shiftZone({ world }: ControlledRegion, { loadBalancer: name, zone: away }: z.infer<typeof shift>): object {
  const loadBalancer = [...world.loadBalancers.values()].find((each) => each.name === name);
  if (loadBalancer === undefined) {
    const names = [...world.loadBalancers.values()].map((each) => each.name).join(", ") || "none";
    throw new ControlProblem(404, `'${name}' is no load balancer with zonal shift: there are ${names}`);
  }
  if (!loadBalancer.zones.includes(away))
    throw new ControlProblem(409, `${name} is not in the zone '${away}', but in ${loadBalancer.zones.join(", ")}`);
  const [shifted] = loadBalancer.zonalShifts.zonesAt(world.clock.now());
  if (shifted !== undefined && shifted !== away)
    throw new ControlProblem(
      409,
      `traffic of ${name} is shifted away from ${shifted} already, and AWS allows one zonal shift (ConflictException: There's already an active zonal shift for that resource identifier): end it by DELETE ${CONTROL_PREFIX}zonal-shifts`,
    );
  if (shifted === undefined) loadBalancer.zonalShifts.begin(away, world.clock.now());
  return {};
}

async function setClock(
  { world: { clock } }: ControlledRegion,
  set: (clock: ScaledClock) => void | Promise<void>,
): Promise<object> {
  if (!(clock instanceof ScaledClock)) throw new ControlProblem(409, "the clock of this region is set by its owner");
  await set(clock);
  return { now: new Date(clock.now()).toISOString(), speed: clock.speed };
}

function idsOf(instances: readonly Instance[]): object {
  return { instances: instances.map(({ id }) => id) };
}

/** What was given in place of machines: the union alone would not say. */
function machinesProblem(given: unknown): string {
  if (typeof given !== "object" || given === null) return "";
  const [keys, { instances, zone: its }] = [Object.keys(given), given as Partial<Record<string, unknown>>];
  if ("instances" in given && "zone" in given) return "both instances and zone are given: ";
  if ("instances" in given && !Array.isArray(instances))
    return `instances is ${JSON.stringify(instances)}, not a list: `;
  if ("zone" in given && keys.length === 1) return `zone is ${JSON.stringify(its)}, not the name of a zone: `;
  if (Array.isArray(instances) && keys.length === 1) return `instances is ${JSON.stringify(instances)}: `;
  return keys.length === 0 ? "neither instances nor zone is given: " : `the keys ${keys.join(", ")} are given: `;
}
