import type { Clock } from "../clock.ts";
import type { Announcement, Interruption, InterruptionAction } from "./announcement.ts";
import type { Instance, SwitchingOff } from "./instance.ts";

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html */
const NOTICE_MS = 120_000;

export interface InterruptInput extends SwitchingOff {
  /** Default: terminate. */
  readonly action?: InterruptionAction;
  /** A rebalance recommendation comes now, and the warning so much later. Absent: the warning comes now. */
  readonly rebalanceLeadMs?: number;
  /** EC2 has warned so long ago, and what says so comes only now. Default: 0. */
  readonly lateMs?: number;
  /** When it begins, in milliseconds since the epoch. Default: now. */
  readonly at?: number;
}

/** What taking back instances needs of the world around it. */
interface Surroundings {
  readonly clock: Clock;
  at(moment: number, happen: (at: number) => void): void;
  announce(announcement: Announcement): void;
  catchUp(): void;
  terminateInstance(instance: Instance, at: number, how: SwitchingOff): void;
  stopInstance(instance: Instance, at: number, how: SwitchingOff): void;
}

/** Instances that EC2 takes back: it says so, and does it when it has said it would. */
export class Interruptions {
  readonly #world: Surroundings;
  readonly #interruptions = new Map<string, Interruption>();
  readonly #recommendedAt = new Map<string, number>();

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** The warning that the instance has got and that EC2 has not acted upon yet. */
  of(instanceId: string): Interruption | undefined {
    return this.#interruptions.get(instanceId);
  }

  /** When the instance was last recommended to be replaced. */
  recommendedAt(instanceId: string): number | undefined {
    return this.#recommendedAt.get(instanceId);
  }

  /** A rebalance recommendation. Nothing need follow it. */
  recommendRebalance(instance: Instance, at = this.#world.clock.now()): void {
    if (instance.isOff) return;
    this.#recommendedAt.set(instance.id, at);
    this.#world.announce({ type: "rebalance-recommendation", instance, at });
  }

  /** Takes a spot instance back: hibernates it at once, does all else two minutes after the warning. */
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

  /** One that is off, or that has been warned, is left alone. */
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
    // What is frozen closes nothing.
    else this.#world.stopInstance(instance, at, action === "hibernate" ? { skipOsShutdown: true } : how);
  }
}
