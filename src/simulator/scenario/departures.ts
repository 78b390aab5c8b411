import type { Member } from "../world/auto-scaling-group.ts";
import type { Instance } from "../world/instance.ts";
import type { BuiltWorld } from "./build-world.ts";
import type { Scenario } from "./schema.ts";

type ScenarioInterruption = NonNullable<Scenario["interruptions"]>[number];

/** Lets everything that the scenario says of departures happen, counted from now. */
export function beginDepartures(scenario: Scenario, { world, idsOf }: BuiltWorld): void {
  const { interruptions = [], rebalanceRecommendations = [], scheduledEvents = [] } = scenario;
  const { rootVolumeReplacements = [] } = scenario;
  const named = (names: readonly string[]) =>
    idsOf(names)
      .map((id) => world.instance(id))
      .filter((instance) => instance !== undefined);
  const after = (seconds: number, happen: () => void) => world.at(world.clock.now() + seconds * 1_000, happen);
  for (const interruption of interruptions) {
    after(interruption.afterSeconds ?? 0, () => {
      for (const instance of named(interruption.instances)) interrupt(instance, interruption, world.interruptions);
    });
  }
  for (const { instances, afterSeconds = 0 } of rebalanceRecommendations) {
    after(afterSeconds, () => {
      for (const instance of named(instances)) world.interruptions.recommendRebalance(instance);
    });
  }
  for (const { instances, afterSeconds = 0 } of rootVolumeReplacements) {
    after(afterSeconds, () => {
      for (const instance of named(instances)) replaceRootVolume(instance, world);
    });
  }
  for (const { code, instances, afterSeconds = 0, startsInSeconds, windowSeconds } of scheduledEvents) {
    after(afterSeconds, () => {
      const window = windowSeconds === undefined ? {} : { windowMs: windowSeconds * 1_000 };
      const startsInMs = startsInSeconds * 1_000;
      world.scheduledEvents.schedule({ code, instances: named(instances), startsInMs, ...window });
    });
  }
  world.catchUp();
}

/** Not of a machine that is off, or on its way out of its group. */
function replaceRootVolume(instance: Instance, world: BuiltWorld["world"]): void {
  const now = world.clock.now();
  const inService = ({ instance: one, lifecycleState }: Member) => one === instance && lifecycleState === "InService";
  const group = [...world.autoScalingGroups.values()].find((each) => each.members(now).some(inService));
  if (group !== undefined && world.isRunning(instance.id)) world.beginRootVolumeReplacement(group, instance);
}

function interrupt(
  instance: Instance,
  { of, action, rebalanceLeadSeconds, skipOsShutdown = false }: ScenarioInterruption,
  interruptions: BuiltWorld["world"]["interruptions"],
): void {
  if (of === "capacity-reservation") {
    interruptions.interruptReservation(instance, { skipOsShutdown });
    return;
  }
  interruptions.interrupt(instance, {
    skipOsShutdown,
    ...(action === undefined ? {} : { action }),
    ...(rebalanceLeadSeconds === undefined ? {} : { rebalanceLeadMs: rebalanceLeadSeconds * 1_000 }),
  });
}
