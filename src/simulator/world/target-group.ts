import { lagOf, type Range, type Timing } from "../timing.ts";
import { entryZones } from "./entry-zones.ts";
import {
  ALWAYS_UP,
  type Answering,
  firsts,
  Health,
  type HealthCheck,
  type HealthState,
  hasEndedAsOf,
  type Spell,
  spellAsOf,
} from "./health.ts";
import type { Instance } from "./instance.ts";
import type { LoadBalancer } from "./load-balancer.ts";
import {
  areEnough,
  asksKubeProxy,
  CONNECTION_TERMINATION,
  CROSS_ZONE,
  defaultAttributes,
  deregistrationDelayMs,
  isApplicationProtocol,
  keptWhenUnhealthyMs,
  type Probe,
  type TargetGroupInput,
} from "./target-group-attributes.ts";
import { TARGET_HEALTH, type TargetHealth } from "./target-health.ts";

/** A target as a caller names it. AWS identifies targets by id, port and zone. The default port is the group's. */
export interface TargetDescription {
  readonly id: string;
  readonly port?: number;
  readonly zone?: string;
  readonly quicServerId?: string;
}

/** One registration. A target that is deregistered and registered again has another one, with its own health. */
export interface Target extends Spell {
  readonly id: string;
  readonly port: number;
  readonly zone: string | undefined;
  readonly quicServerId: string | undefined;
  readonly health: Health;
}

/** The part of the world that a target group uses. */
export interface Surroundings {
  readonly timing: Timing;
  /** The machine of a target id, which is an instance id or an address. */
  machineOf(targetId: string, vpcId: string): Instance | undefined;
  /** The load balancer that uses the group. Undefined if there is none. */
  loadBalancerOf(arn: string): LoadBalancer | undefined;
}

/** One target group: its targets, their states in the API, and which of them really get traffic. These two differ. */
export class TargetGroup {
  readonly arn: string;
  readonly name: string;
  readonly vpcId: string;
  readonly protocol: string;
  readonly port: number;
  readonly targetType: TargetGroupInput["targetType"];
  readonly ipAddressType: "ipv4" | "ipv6";
  healthCheck: HealthCheck;
  probe: Probe;
  readonly tags = new Map<string, string>();
  readonly attributes: Map<string, string>;
  /** Since when an active load balancer uses the group, in milliseconds since the epoch. Before, it knows no target. */
  usedFrom = Number.NEGATIVE_INFINITY;
  /** By id, port and zone: every registration that may still affect traffic or the API, the newest last. */
  readonly #targets = new Map<string, readonly Target[]>();
  readonly #surroundings: Surroundings;

  constructor(input: TargetGroupInput, surroundings: Surroundings) {
    this.arn = input.arn;
    this.name = input.name;
    this.vpcId = input.vpcId;
    this.protocol = input.protocol;
    this.port = input.port;
    this.targetType = input.targetType;
    this.ipAddressType = input.ipAddressType ?? "ipv4";
    this.healthCheck = input.healthCheck;
    this.probe = input.probe;
    this.#surroundings = surroundings;
    this.attributes = defaultAttributes(input.protocol, input.targetType);
  }

  /** https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html */
  get deregistrationDelayMs(): number {
    return deregistrationDelayMs(this.protocol, this.attributes);
  }

  /** How long the API shows a deregistered target as draining. 0 if no load balancer uses the group. */
  get drainingMs(): number {
    return this.#loadBalancer === undefined ? 0 : this.deregistrationDelayMs;
  }

  get terminatesConnections(): boolean {
    return this.attributes.get(CONNECTION_TERMINATION) === "true";
  }

  /**
   * Whether every node of the load balancer sends to the targets of all zones. If not, each node sends to the targets
   * of its own zone. The group's own setting takes precedence over the load balancer's.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
   */
  get isCrossZone(): boolean {
    const own = this.attributes.get(CROSS_ZONE);
    const value = own === "true" || own === "false" ? own : this.#loadBalancer?.attributes.get(CROSS_ZONE);
    return value !== "false";
  }

  register(target: TargetDescription, now: number, options: { readonly settled?: boolean } = {}): void {
    const port = target.port ?? this.port;
    const key = keyOf(target.id, port, target.zone);
    const known = this.#targets.get(key) ?? [];
    if (known.length > 0 && known.at(-1)?.deregisteredAt === undefined) return;
    if (this.#isHeldBack(known.at(-1), now)) return;
    const registered: Target = {
      id: target.id,
      port,
      zone: target.zone,
      quicServerId: target.quicServerId,
      registeredAt: options.settled === true ? Number.NEGATIVE_INFINITY : now,
      deregisteredAt: undefined,
      health: new Health(options.settled === true ? "healthy" : "initial"),
    };
    // A load balancer machine that has not learned of a deregistration yet still uses the old registration.
    const remembered = known.filter((earlier) => now < this.trafficUntil(earlier, 0, 1) || !this.#isGone(earlier, now));
    this.#targets.set(key, [...remembered, registered]);
  }

  /** Returns the deregistered target. Ignores unknown targets, and targets that are named without their port. */
  deregister(description: TargetDescription, now: number): Target | undefined {
    const target = this.#find(description).at(-1);
    if (target === undefined || target.deregisteredAt !== undefined) return;
    target.deregisteredAt = now;
    return target;
  }

  /** Whether the target was registered again after this registration, even if the API does not show it yet. */
  isSuperseded(target: Target): boolean {
    return this.#find(target).at(-1) !== target;
  }

  /** The targets that DescribeTargetHealth lists if the call names none. */
  listed(now: number): readonly Target[] {
    return [...this.#targets.values()]
      .map((targets) => spellAsOf(targets, this.#shownAsOf(now)))
      .filter((target) => target !== undefined)
      .filter((target) => !this.#isGone(target, now) && now < this.#droppedAt(target));
  }

  /** The target that a call names, if it is registered or draining, or was so when its instance was terminated. */
  named(description: TargetDescription, now: number): Target | undefined {
    const target = spellAsOf(this.#find(description), this.#shownAsOf(now));
    if (target === undefined) return undefined;
    return this.#isGone(target, now) && this.#isGone(target, this.#terminatedAt(target) ?? now) ? undefined : target;
  }

  /** The state of a registered or draining target in the API. */
  apiHealth(target: Target, now: number): TargetHealth {
    // For at least ten minutes, AWS shows a terminated instance as draining to a caller that names the target.
    if (hasEndedAsOf(target, this.#shownAsOf(now)) || this.#terminatedAt(target) !== undefined) {
      return TARGET_HEALTH.draining;
    }
    if (this.#loadBalancer === undefined) return TARGET_HEALTH.noLoadBalancer;
    if (!this.#isInEnabledZone(target)) return TARGET_HEALTH.otherZone;
    if (now >= this.#stoppedAt(target)) return TARGET_HEALTH.stopped;
    const state = this.health(target, now);
    switch (state) {
      case "healthy":
        return TARGET_HEALTH.healthy;
      case "unhealthy":
        if (this.#isUnhealthyDraining(target, now)) return TARGET_HEALTH.unhealthyDraining;
        return this.#failsWithAnswer(target) ? TARGET_HEALTH.failing : TARGET_HEALTH.unhealthy;
      case "initial":
        return now < this.#trafficFrom(target) ? TARGET_HEALTH.registering : TARGET_HEALTH.firstChecks;
      default:
        return state satisfies never;
    }
  }

  health(target: Target, now: number): HealthState {
    const machine = this.#machineOf(target);
    // An instance that was stopped and started is checked like a new one. AWS does not know the machine of an address.
    const runsFrom = this.targetType === "instance" ? machine?.runsFrom(this.#surroundings.timing) : undefined;
    const checkedSince = Math.max(this.#trafficFrom(target), runsFrom ?? Number.NEGATIVE_INFINITY);
    return target.health.catchUp(now, this.#answering(target), this.healthCheck, checkedSince);
  }

  /** Updates the health of every target. Must be called before a process begins or stops answering. */
  catchUpHealth(now: number): void {
    for (const target of [...this.#targets.values()].flat()) this.health(target, now);
  }

  /**
   * The targets to which machine number `machine` of the load balancer sends new requests or flows. The states in the
   * API only approximate this. If no target is healthy, or fewer than the group's minimum, all registered targets get
   * traffic, except those in state unhealthy.draining. Targets in zones that are not enabled, or that traffic was
   * shifted away from, get none. `zone`: those for the load balancer's node in that zone, without cross-zone load
   * balancing.
   */
  routable(now: number, machine: number, machines: number, zone?: string): readonly Target[] {
    // With cross-zone load balancing, a shift ends all traffic at once. Without it, DNS does so, with its lag.
    const shiftLag = this.isCrossZone ? 0 : this.#surroundings.timing.dnsTtlMs;
    const shifted = this.#loadBalancer?.zonalShifts.zonesAt(now - shiftLag);
    const known = [...this.#targets.values()].map((targets) =>
      targets.filter(
        (target) =>
          shifted?.has(this.#zoneOf(target) ?? "") !== true &&
          this.#isInEnabledZone(target) &&
          (zone === undefined || (this.#zoneOf(target) ?? zone) === zone) &&
          now >= this.#trafficFrom(target) &&
          now < this.trafficUntil(target, machine, machines),
      ),
    );
    const isHealthy = (target: Target) => this.#isHealthyFor(target, now, machine, machines);
    const healthy = firsts(known.map((targets) => targets.filter(isHealthy)));
    if (healthy.length > 0 && areEnough(this.attributes, healthy, firsts(known))) return healthy;
    return firsts(known.map((targets) => targets.filter((target) => !this.#isUnhealthyDraining(target, now))));
  }

  /**
   * When the load balancer closes the connections of a target because it is unhealthy, in milliseconds since the epoch,
   * if nothing changes until then. Infinity: it does not close them.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health.html#unhealthy-target-connection-termination
   */
  closesUnhealthyAt(target: Target, now: number): number {
    this.health(target, now);
    return target.health.failsAt(this.#answering(target), this.healthCheck) + keptWhenUnhealthyMs(this.attributes);
  }

  /** Whether no target is healthy, so that all targets get traffic. */
  failsOpen(now: number): boolean {
    return !this.listed(now).some((target) => this.health(target, now) === "healthy");
  }

  /**
   * The zones whose load balancer nodes get new clients. Undefined with cross-zone load balancing, where the zone makes
   * no difference. Without it, each node sends to the targets in its own zone only.
   */
  entryZones(now: number): readonly string[] | undefined {
    const loadBalancer = this.#loadBalancer;
    if (loadBalancer === undefined || this.isCrossZone) return undefined;
    const targets = [...this.#targets.values()].flat().map((target) => {
      const health = this.health(target, now);
      const servedUntil = health === "unhealthy" ? target.health.since : Number.POSITIVE_INFINITY;
      return {
        zone: this.#zoneOf(target),
        hasServed: health !== "initial",
        servesUntil: Math.min(servedUntil, this.trafficUntil(target, 0, 1)),
      };
    });
    return entryZones(loadBalancer, targets, now - this.#surroundings.timing.dnsTtlMs);
  }

  /**
   * Whether traffic was shifted away from the target's zone. It stays registered and healthy.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/zonal-shift.html
   */
  isShifted(target: Target, now: number): boolean {
    return this.#loadBalancer?.zonalShifts.zonesAt(now).has(this.#zoneOf(target) ?? "") === true;
  }

  /** When machine number `machine` stops sending new traffic to this registration, in milliseconds since the epoch. */
  trafficUntil(target: Target, machine: number, machines: number): number {
    const outAt = Math.min(
      target.deregisteredAt ?? Number.POSITIVE_INFINITY,
      this.#droppedAt(target),
      this.#stoppedAt(target),
    );
    return outAt + lagOf(this.#deregistrationLag(), machine, machines);
  }

  get #loadBalancer(): LoadBalancer | undefined {
    return this.#surroundings.loadBalancerOf(this.arn);
  }

  /** Undefined if it is unknown or `all`. Then every node of the load balancer sends to the target. */
  #zoneOf({ id, zone }: Target): string | undefined {
    const known = zone ?? this.#surroundings.machineOf(id, this.vpcId)?.zone;
    return known === "all" ? undefined : known;
  }

  /**
   * Targets in other zones get no traffic, even with cross-zone load balancing.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html
   */
  #isInEnabledZone(target: Target): boolean {
    const zone = this.#zoneOf(target);
    return zone === undefined || (this.#loadBalancer?.zones.includes(zone) ?? true);
  }

  /** Whether the target is unhealthy and keeps its connections for the draining interval. It gets no new ones. */
  #isUnhealthyDraining(target: Target, now: number): boolean {
    const keptMs = keptWhenUnhealthyMs(this.attributes);
    const isUnhealthy = this.health(target, now) === "unhealthy";
    return Number.isFinite(keptMs) && isUnhealthy && now < target.health.since + keptMs;
  }

  /**
   * Whether machine number `machine` considers the target healthy. Passive checks notice at once that a machine is off.
   */
  #isHealthyFor(target: Target, now: number, machine: number, machines: number): boolean {
    const state = this.health(target, now);
    if (state !== "unhealthy" || this.#isApplication() || !this.#isRefusing(target)) return state === "healthy";
    return now < target.health.since + lagOf(this.#surroundings.timing.nlbUnhealthy, machine, machines);
  }

  #machineOf({ id }: Target): Instance | undefined {
    return this.#surroundings.machineOf(id, this.vpcId);
  }

  /** Whether the health checks of the target are answered. */
  #answering(target: Target): Answering {
    const machine = this.#machineOf(target);
    return (asksKubeProxy(this.probe) ? machine?.kubeProxyAnswering : machine?.answering) ?? ALWAYS_UP;
  }

  /** Whether its health checks fail with an answer or a refused connection, and not with a timeout. */
  #failsWithAnswer(target: Target): boolean {
    return this.#isRefusing(target) || this.#machineOf(target)?.isRefusing === true;
  }

  /** Whether its machine answers, but its kube-proxy reports that the node goes away. */
  #isRefusing(target: Target): boolean {
    const machine = this.#machineOf(target);
    return asksKubeProxy(this.probe) && machine?.isEligible === false && machine.answering.up;
  }

  /**
   * Whether a registration comes too early: an ALB accepts an address again only after its deregistration delay. AWS
   * does not document the answer of the call. Here it succeeds, and does nothing.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#registered-targets
   */
  #isHeldBack(last: Target | undefined, now: number): boolean {
    if (last?.deregisteredAt === undefined || this.targetType !== "ip" || !this.#isApplication()) return false;
    return now < last.deregisteredAt + this.drainingMs;
  }

  #find(description: TargetDescription): readonly Target[] {
    const port = description.port ?? this.port;
    const exact = this.#targets.get(keyOf(description.id, port, description.zone));
    if (exact !== undefined || description.zone !== undefined) return exact ?? [];
    // AWS sets the zone of ip targets, and also finds them without it.
    const isMeant = (target: Target | undefined) => target?.id === description.id && target.port === port;
    return [...this.#targets.values()].find(([target]) => isMeant(target)) ?? [];
  }

  /** Describe calls show registrations and deregistrations as they were at this time. */
  #shownAsOf(now: number): number {
    return now - this.#surroundings.timing.apiPropagationMs;
  }

  #isGone(target: Target, now: number): boolean {
    return hasEndedAsOf(target, this.#shownAsOf(now) - this.drainingMs);
  }

  /** When the load balancer drops a terminated instance by itself. */
  #droppedAt(target: Target): number {
    const { shuttingDownMs, terminatedDropMs } = this.#surroundings.timing;
    return (this.#terminatedAt(target) ?? Number.POSITIVE_INFINITY) + shuttingDownMs + terminatedDropMs;
  }

  /** Undefined for an address: it stays registered when its instance is gone, and fails its health checks. */
  #terminatedAt(target: Target): number | undefined {
    return this.targetType === "instance" ? this.#machineOf(target)?.terminatedAt : undefined;
  }

  /** When the load balancer stops using a stopped instance, until it is started again. */
  #stoppedAt(target: Target): number {
    const stoppedAt = this.targetType === "instance" ? this.#machineOf(target)?.stoppedAt : undefined;
    return (stoppedAt ?? Number.POSITIVE_INFINITY) + this.#surroundings.timing.stoppingMs;
  }

  #trafficFrom(target: Target): number {
    const { timing } = this.#surroundings;
    const knownFrom = Math.max(target.registeredAt, this.usedFrom);
    return knownFrom + (this.#isApplication() ? timing.albRegistrationMs : timing.nlbRegistrationMs);
  }

  #deregistrationLag(): Range {
    const { timing } = this.#surroundings;
    return this.#isApplication() ? timing.albDeregistration : timing.nlbDeregistration;
  }

  #isApplication(): boolean {
    return isApplicationProtocol(this.protocol);
  }
}

function keyOf(id: string, port: number, zone: string | undefined): string {
  return `${id} ${port} ${zone ?? ""}`;
}
