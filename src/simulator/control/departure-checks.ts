import type { Departures } from "../scenario/departures.ts";
import type { Instance } from "../world/instance.ts";
import { ControlProblem } from "./control-problem.ts";
import { type ControlledRegion, calledIn } from "./controlled-region.ts";

/**
 * What keeps a departure of a machine from happening at all: undefined if nothing does. `isLater`: it is to happen later, when
 * a machine that is stopped now may run.
 */
type Obstacle = (instance: Instance, region: ControlledRegion, isLater: boolean) => string | undefined;

const OBSTACLES: { readonly [K in keyof Departures]: Obstacle } = {
  interruptions: offUnlessLater,
  rebalanceRecommendations: offUnlessLater,
  scheduledEvents: terminated,
  rootVolumeReplacements(instance, region, isLater) {
    const off = offUnlessLater(instance, region, isLater);
    if (off !== undefined) return off;
    const { autoScalingGroups, clock } = region.world;
    const members = [...autoScalingGroups.values()].flatMap((group) => group.members(clock.now()));
    const state = members.find((member) => member.instance === instance)?.lifecycleState;
    if (state === undefined) return "is in no Auto Scaling group: name members of one";
    return state === "InService" || isLater
      ? undefined
      : `is ${state} in its Auto Scaling group: wait until it is InService`;
  },
};

/** Throws if nothing would happen to one of the machines. */
export function checkDeparture(
  key: keyof Departures,
  instances: readonly Instance[],
  region: ControlledRegion,
  isLater: boolean,
): void {
  const problems = instances.flatMap((instance) => {
    const obstacle = OBSTACLES[key](instance, region, isLater);
    return obstacle === undefined ? [] : [`${calledIn(region, instance)} ${obstacle}`];
  });
  if (problems.length > 0) throw new ControlProblem(409, problems.join("; "), { problems });
}

function terminated({ terminatedAt }: Instance): string | undefined {
  return terminatedAt === undefined ? undefined : "is terminated: name a machine that runs";
}

function offUnlessLater(instance: Instance, _: ControlledRegion, isLater: boolean): string | undefined {
  const isStopped = instance.stoppedAt !== undefined && !isLater;
  return terminated(instance) ?? (isStopped ? "is stopped: start it before" : undefined);
}
