import type { Clock } from "../clock.ts";
import type { Announcement, Interruption, InterruptionAction } from "./announcement.ts";
import type { Instance, SwitchingOff } from "./instance.ts";

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html */
const NOTICE_MS = 120_000;

export interface InterruptInput extends SwitchingOff {
  /** Default: terminate. */
  readonly action?: InterruptionAction;
  /** Milliseconds from a rebalance recommendation, which comes now, to the warning. Absent: the warning comes now. */
  readonly rebalanceLeadMs?: number;
  /** How many milliseconds ago EC2 has warned, if the warning is announced late. Default: 0. */
  readonly lateMs?: number;
  /** When it begins, in milliseconds since the epoch. Default: now. */
  readonly at?: number;
}

/** The part of the world that interruptions use. */
interface Surroundings {
  readonly clock: Clock;
  at(moment: number, happen: (at: number) => void): void;
  announce(announcement: Announcement): void;
  catchUp(): void;
  terminateInstance(instance: Instance, at: number, how: SwitchingOff): void;
  stopInstance(instance: Instance, at: number, how: SwitchingOff): void;
}

/**
 * Interruptions of instances: EC2 warns that it takes an instance back, and does so at the time that it has announced.
 */
export class Interruptions {
  readonly #world: Surroundings;
  readonly #interruptions = new Map<string, Interruption>();
  readonly #recommendedAt = new Map<string, number>();

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** The warning for the instance on which EC2 has not acted yet. */
  of(instanceId: string): Interruption | undefined {
    return this.#interruptions.get(instanceId);
  }

  /** When EC2 last recommended replacing the instance. */
  recommendedAt(instanceId: string): number | undefined {
    return this.#recommendedAt.get(instanceId);
  }

  /** Announces a rebalance recommendation. An interruption need not follow. */
  recommendRebalance(instance: Instance, at = this.#world.clock.now()): void {
    if (instance.isOff) return;
    this.#recommendedAt.set(instance.id, at);
    this.#world.announce({ type: "rebalance-recommendation", instance, at });
  }

  /**
   * Takes a spot instance back. Hibernation happens at once. All other actions follow two minutes after the warning.
   */
  interrupt(
    instance: Instance,
    { action = "terminate", rebalanceLeadMs, lateMs = 0, at = this.#world.clock.now(), ...how }: InterruptInput = {},
  ): void {
    if (rebalanceLeadMs !== undefined) this.recommendRebalance(instance, at);
    this.#world.at(at + (rebalanceLeadMs ?? 0), (then) =>
      this.#warn(instance, { action, of: "spot" }, then - lateMs, how),
    );
    this.#world.catchUp();
  }

  /**
   * Takes back an instance of an interruptible Capacity Reservation.
   * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-interruptible-cr.html
   */
  interruptReservation(instance: Instance, how: SwitchingOff = {}, at = this.#world.clock.now()): void {
    this.#warn(instance, { action: "terminate", of: "capacity-reservation" }, at, how);
  }

  /** Does nothing if the instance is off or already warned. */
  #warn(instance: Instance, kind: Pick<Interruption, "action" | "of">, warnedAt: number, how: SwitchingOff): void {
    if (instance.isOff || this.#interruptions.has(instance.id)) return;
    const interruption = { ...kind, actsAt: kind.action === "hibernate" ? warnedAt : warnedAt + NOTICE_MS };
    this.#interruptions.set(instance.id, interruption);
    this.#world.announce({ type: "interruption", instance, interruption, at: warnedAt });
    this.#world.at(interruption.actsAt, (at) => this.#act(instance, kind.action, at, how));
  }

  #act(instance: Instance, action: InterruptionAction, at: number, how: SwitchingOff): void {
    this.#interruptions.delete(instance.id);
    if (action === "terminate") this.#world.terminateInstance(instance, at, how);
    // A hibernated machine is frozen, and closes nothing.
    else this.#world.stopInstance(instance, at, action === "hibernate" ? { skipOsShutdown: true } : how);
  }
}
