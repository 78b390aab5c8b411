import type { Clock } from "../clock.ts";
import type { Timing } from "../timing.ts";
import type { Announcement, WorldChange } from "./announcement.ts";
import type { Instance, InstanceStateName, NotAnswering, SwitchingOff } from "./instance.ts";

interface Surroundings {
  readonly clock: Clock;
  readonly timing: Timing;
  at(moment: number, happen: (at: number) => void): void;
  announce(announcement: Announcement): void;
  /** Must be called before processes begin or stop answering. */
  catchUpHealth(at: number): void;
  notify(change: WorldChange): void;
}

interface StateChange {
  readonly from: InstanceStateName;
  readonly to: InstanceStateName;
  /** When the change begins, in milliseconds since the epoch. */
  readonly at: number;
  /** How long the change takes. */
  readonly ms: number;
}

/** Switches machines on and off. Their processes answer or not accordingly. */
export class InstancePower {
  readonly #world: Surroundings;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  terminate(instance: Instance, at: number, how: SwitchingOff): void {
    if (instance.terminatedAt !== undefined) return;
    this.#world.catchUpHealth(at);
    instance.terminate(at, how);
    this.#world.notify({ type: "instance-terminated", instance });
    this.#announce(instance, { from: "shutting-down", to: "terminated", at, ms: this.#world.timing.shuttingDownMs });
  }

  stop(instance: Instance, at: number, how: SwitchingOff): void {
    if (instance.isOff) return;
    this.#world.catchUpHealth(at);
    instance.stop(at, how);
    this.#world.notify({ type: "instance-stopped", instance });
    this.#announce(instance, { from: "stopping", to: "stopped", at, ms: this.#world.timing.stoppingMs });
  }

  start(instance: Instance, at: number): void {
    if (instance.stoppedAt === undefined || instance.terminatedAt !== undefined) return;
    this.#bringUp(instance, at);
  }

  /** Starts a new machine. */
  launch(instance: Instance, at: number): void {
    instance.setAnswering(false, at);
    this.#bringUp(instance, at);
  }

  reboot(instance: Instance, at: number): void {
    if (instance.isOff) return;
    this.setAnswering(instance, false, at);
    this.#world.notify({ type: "instance-rebooted", instance });
    this.#world.at(at + this.#world.timing.rebootMs, (then) => {
      if (!instance.isOff) this.setAnswering(instance, true, then);
    });
  }

  setAnswering(instance: Instance, up: boolean, at: number, how?: NotAnswering): void {
    this.#world.catchUpHealth(at);
    instance.setAnswering(up, at, how);
    this.#world.notify({ type: "answering-changed", instance });
  }

  setEligible(instance: Instance, up: boolean, at: number): void {
    if (instance.isEligible === up) return;
    this.#world.catchUpHealth(at);
    instance.setEligible(up, at);
    this.#world.notify({ type: "answering-changed", instance });
  }

  #bringUp(instance: Instance, at: number): void {
    this.#world.catchUpHealth(at);
    instance.start(at, this.#world.timing);
    this.#world.notify({ type: "instance-started", instance });
    this.#announce(instance, { from: "pending", to: "running", at, ms: this.#world.timing.pendingMs });
  }

  /**
   * EC2 announces when a change begins and when it has ended. If another change comes first, the end is not announced.
   */
  #announce(instance: Instance, { from, to, at: begins, ms }: StateChange): void {
    this.#world.announce({ type: "instance-state", instance, state: from, at: begins });
    this.#world.at(begins + ms, (at) => {
      if (instance.state(at, this.#world.timing) !== to) return;
      this.#world.announce({ type: "instance-state", instance, state: to, at });
    });
  }
}
