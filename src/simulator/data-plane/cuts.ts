import { lagOf } from "../timing.ts";
import type { ClassicLoadBalancer } from "../world/classic-load-balancer.ts";
import type { Instance } from "../world/instance.ts";
import type { Target, TargetGroup } from "../world/target-group.ts";
import { failoverOf } from "../world/target-group-attributes.ts";
import type { World } from "../world/world.ts";
import { type Cut, MACHINES, type Passages, registrationOf } from "./passages.ts";

/** Decides when load balancers break off requests and flows to a target that leaves them, or fails. */
export class Cuts {
  readonly #world: World;
  readonly #passages: Passages;

  constructor(world: World, passages: Passages) {
    this.#world = world;
    this.#passages = passages;
  }

  /**
   * An ALB gives requests in flight the deregistration delay. An NLB leaves flows alone, unless connection termination
   * is on. Then it closes them after the delay. A GWLB leaves them alone too, unless they are moved or reset, after the
   * delay and the time that its machines need.
   */
  onDeregistered(group: TargetGroup, target: Target): void {
    const type = this.#world.usedBy(group.arn);
    const how = type === undefined ? undefined : this.#onDeregistration(group, type);
    if (how === undefined) return;
    const since = target.deregisteredAt ?? this.#world.clock.now();
    const isVoid = () => group.isSuperseded(target);
    const dueAt = (machine: number) =>
      Math.max(
        group.trafficUntil(target, machine, MACHINES),
        since + group.deregistrationDelayMs + this.#failoverMs(type, machine),
      );
    this.#passages.cutLater(registrationOf(group, target), { why: "deregistered", how, dueAt, isVoid });
  }

  /**
   * An NLB closes the connections of a target that becomes unhealthy, at once or after an interval, unless that is off.
   * A GWLB leaves them alone, unless they are moved or reset.
   */
  onAnsweringChanged({ id }: Instance): void {
    const { clock, targetGroups } = this.#world;
    for (const group of targetGroups.values()) {
      const type = this.#world.usedBy(group.arn);
      if (type !== "network" && type !== "gateway") continue;
      const how = type === "network" ? "closed" : failoverOf(group.attributes, "on_unhealthy");
      for (const target of group.listed(clock.now())) {
        const isMeant = this.#world.machineOf(target.id, group.vpcId)?.id === id;
        const dueAt = group.closesUnhealthyAt(target, clock.now());
        if (!isMeant || how === undefined || dueAt === Number.POSITIVE_INFINITY) continue;
        const isVoid = () => group.closesUnhealthyAt(target, clock.now()) !== dueAt || group.failsOpen(clock.now());
        const dueOn = (machine: number) => dueAt + this.#failoverMs(type, machine);
        this.#passages.cutLater(registrationOf(group, target), { why: "unhealthy", how, dueAt: dueOn, isVoid });
      }
    }
  }

  onClassicDeregistered(classic: ClassicLoadBalancer, id: string): void {
    const { clock, timing } = this.#world;
    const since = clock.now();
    const { drainingMs } = classic;
    const isVoid = () => classic.isRegistered(id);
    const dueAt = (machine: number) =>
      since + Math.max(lagOf(timing.classicDeregistration, machine, MACHINES), drainingMs);
    this.#passages.cutLater({ pool: classic.name, id }, { why: "deregistered", how: "closed", dueAt, isVoid });
  }

  #onDeregistration(group: TargetGroup, type: "application" | "network" | "gateway"): Cut | undefined {
    if (type === "gateway") return failoverOf(group.attributes, "on_deregistration");
    return type === "application" || group.terminatesConnections ? "closed" : undefined;
  }

  #failoverMs(type: string | undefined, machine: number): number {
    return type === "gateway" ? lagOf(this.#world.timing.gatewayFailover, machine, MACHINES) : 0;
  }
}
