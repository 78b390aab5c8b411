import type { Timing } from "../timing.ts";
import type { Announcement } from "./announcement.ts";
import type { Instance, InstanceStateName } from "./instance.ts";

interface StateChange {
  readonly from: InstanceStateName;
  readonly to: InstanceStateName;
  /** When the change begins, in milliseconds since the epoch. */
  readonly at: number;
  /** How long it takes. */
  readonly ms: number;
}

interface Surroundings {
  readonly timing: Timing;
  at(moment: number, happen: (at: number) => void): void;
  announce(announcement: Announcement): void;
}

/** EC2 says when a change begins, and when it has come to its end: not where another one has come between. */
export function announceStates(instance: Instance, { from, to, at: begins, ms }: StateChange, world: Surroundings) {
  world.announce({ type: "instance-state", instance, state: from, at: begins });
  world.at(begins + ms, (at) => {
    if (instance.state(at, world.timing) === to) world.announce({ type: "instance-state", instance, state: to, at });
  });
}
