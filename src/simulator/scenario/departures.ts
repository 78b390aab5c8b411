import type { Member } from "../world/auto-scaling-group.ts";
import type { Instance } from "../world/instance.ts";
import type { BuiltWorld } from "./build-world.ts";
import type { Scenario } from "./schema.ts";

type Entry<L> = NonNullable<L> extends readonly (infer E)[] ? E : never;
type Interruption = Entry<Scenario["interruptions"]>;

/** The departures that a scenario or the control API can describe. */
export interface Departures {
  readonly interruptions: Interruption;
  readonly rebalanceRecommendations: Entry<Scenario["rebalanceRecommendations"]>;
  readonly rootVolumeReplacements: Entry<Scenario["rootVolumeReplacements"]>;
  readonly scheduledEvents: Entry<Scenario["scheduledEvents"]>;
}

type Surroundings = Pick<BuiltWorld, "world" | "idsOf">;

/** Begins all departures of the scenario. Their times count from now. */
export function beginDepartures(scenario: Scenario, built: Surroundings): void {
  const { interruptions = [], rebalanceRecommendations = [], rootVolumeReplacements = [] } = scenario;
  for (const each of interruptions) DEPARTURES.interruptions(each, built);
  for (const each of rebalanceRecommendations) DEPARTURES.rebalanceRecommendations(each, built);
  for (const each of rootVolumeReplacements) DEPARTURES.rootVolumeReplacements(each, built);
  for (const each of scenario.scheduledEvents ?? []) DEPARTURES.scheduledEvents(each, built);
  built.world.catchUp();
}

/** Schedules one departure of each kind, `afterSeconds` from now. With 0, it begins at the next `catchUp`. */
export const DEPARTURES: {
  readonly [K in keyof Departures]: (departure: Departures[K], built: Surroundings) => void;
} = {
  interruptions(interruption, built) {
    after(interruption, built, (instances, { interruptions }, at) => {
      for (const instance of instances) interrupt(instance, interruption, interruptions, at);
    });
  },

  rebalanceRecommendations(recommendation, built) {
    after(recommendation, built, (instances, { interruptions }, at) => {
      for (const instance of instances) interruptions.recommendRebalance(instance, at);
    });
  },

  rootVolumeReplacements(replacement, built) {
    after(replacement, built, (instances, world, at) => {
      for (const instance of instances) replaceRootVolume(instance, world, at);
    });
  },

  scheduledEvents(event, built) {
    const { code, startsInSeconds, windowSeconds } = event;
    after(event, built, (instances, { scheduledEvents }, at) => {
      const window = windowSeconds === undefined ? {} : { windowMs: windowSeconds * 1_000 };
      scheduledEvents.schedule({ code, instances, startsInMs: startsInSeconds * 1_000, at, ...window });
    });
  },
};

/** `happen` gets the planned time `at`. Later changes count from `at`, because the clock may be later by then. */
function after(
  {
    instances,
    afterSeconds = 0,
  }: { readonly instances: readonly string[]; readonly afterSeconds?: number | undefined },
  { world, idsOf }: Surroundings,
  happen: (instances: readonly Instance[], world: BuiltWorld["world"], at: number) => void,
): void {
  world.at(world.clock.now() + afterSeconds * 1_000, (at) => {
    const named = idsOf(instances).map((id) => world.instance(id));
    happen(
      named.filter((instance) => instance !== undefined),
      world,
      at,
    );
  });
}

/** Does nothing if the machine does not run, or is not in service in a group. */
function replaceRootVolume(instance: Instance, world: BuiltWorld["world"], at: number): void {
  const inService = ({ instance: one, lifecycleState }: Member) => one === instance && lifecycleState === "InService";
  const group = [...world.autoScalingGroups.values()].find((each) => each.members(at).some(inService));
  if (group !== undefined && world.isRunning(instance.id)) world.beginRootVolumeReplacement(group, instance, at);
}

function interrupt(
  instance: Instance,
  { of, action, rebalanceLeadSeconds, skipOsShutdown = false }: Interruption,
  interruptions: BuiltWorld["world"]["interruptions"],
  at: number,
): void {
  if (of === "capacity-reservation") {
    interruptions.interruptReservation(instance, { skipOsShutdown }, at);
    return;
  }
  interruptions.interrupt(instance, {
    skipOsShutdown,
    at,
    ...(action === undefined ? {} : { action }),
    ...(rebalanceLeadSeconds === undefined ? {} : { rebalanceLeadMs: rebalanceLeadSeconds * 1_000 }),
  });
}
