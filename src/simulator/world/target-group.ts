import { lagOf, type Range, type Timing } from "../timing.ts";
import {
  type Answering,
  Health,
  type HealthCheck,
  type HealthState,
  hasEndedAsOf,
  type Spell,
  spellAsOf,
} from "./health.ts";
import type { Instance } from "./instance.ts";

/** What a caller names: AWS keys targets by all three, and takes the group's port where none is given. */
export interface TargetDescription {
  readonly id: string;
  readonly port?: number;
  readonly zone?: string;
  readonly quicServerId?: string;
}

/** One registration. Registered again after a deregistration it is another one, with a health of its own. */
export interface Target extends Spell {
  readonly id: string;
  readonly port: number;
  readonly zone: string | undefined;
  readonly quicServerId: string | undefined;
  readonly health: Health;
}

export type LoadBalancerType = "application" | "network" | "gateway";

export interface TargetGroupInput {
  readonly arn: string;
  readonly name: string;
  readonly vpcId: string;
  readonly protocol: string;
  readonly port: number;
  readonly targetType: "instance" | "ip" | "lambda" | "alb";
  readonly healthCheck: HealthCheck;
}

/** What a target group needs to know of the world around it. */
export interface Surroundings {
  readonly timing: Timing;
  /** The machine behind a target id, whether it is an instance id or an address. */
  machineOf(targetId: string, vpcId: string): Instance | undefined;
  /** The type of the load balancer that uses the group; undefined when none does. */
  usedBy(arn: string): LoadBalancerType | undefined;
  /** The zones that the load balancer which uses the group has shifted traffic away from. */
  shiftedZones(arn: string): ReadonlySet<string>;
}

export interface TargetHealth {
  readonly state: "initial" | "healthy" | "unhealthy" | "unused" | "draining";
  readonly reason?: string;
  readonly description?: string;
}

const DEREGISTRATION_DELAY = "deregistration_delay.timeout_seconds";
/** Whatever the attribute says. */
const QUIC_DELAY_MS = 300_000;
const CONNECTION_TERMINATION = "deregistration_delay.connection_termination.enabled";
/** Processes outside the simulation (addresses that belong to no instance) always answer. */
const ALWAYS_UP: Answering = { up: true, since: Number.NEGATIVE_INFINITY };

/** One target group: who is registered, what the API says of it, and who really gets traffic, which is not the same. */
export class TargetGroup {
  readonly arn: string;
  readonly name: string;
  readonly vpcId: string;
  readonly protocol: string;
  readonly port: number;
  readonly targetType: TargetGroupInput["targetType"];
  readonly healthCheck: HealthCheck;
  readonly tags = new Map<string, string>();
  readonly attributes: Map<string, string>;
  /** By id, port and zone: every registration that may still be acted upon, the newest last. */
  readonly #targets = new Map<string, readonly Target[]>();
  readonly #surroundings: Surroundings;

  constructor(input: TargetGroupInput, surroundings: Surroundings) {
    this.arn = input.arn;
    this.name = input.name;
    this.vpcId = input.vpcId;
    this.protocol = input.protocol;
    this.port = input.port;
    this.targetType = input.targetType;
    this.healthCheck = input.healthCheck;
    this.#surroundings = surroundings;
    this.attributes = defaultAttributes(input.protocol);
  }

  /** https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html */
  get deregistrationDelayMs(): number {
    if (isQuic(this.protocol)) return QUIC_DELAY_MS;
    return Number(this.attributes.get(DEREGISTRATION_DELAY)) * 1_000;
  }

  /** For how long a deregistered target is said to drain: not at all where no load balancer uses the group. */
  get drainingMs(): number {
    return this.#surroundings.usedBy(this.arn) === undefined ? 0 : this.deregistrationDelayMs;
  }

  get terminatesConnections(): boolean {
    return this.attributes.get(CONNECTION_TERMINATION) === "true";
  }

  register(target: TargetDescription, now: number, options: { readonly settled?: boolean } = {}): void {
    const port = target.port ?? this.port;
    const key = keyOf(target.id, port, target.zone);
    const known = this.#targets.get(key) ?? [];
    if (known.length > 0 && known.at(-1)?.deregisteredAt === undefined) return;
    const registered: Target = {
      id: target.id,
      port,
      zone: target.zone,
      quicServerId: target.quicServerId,
      registeredAt: options.settled === true ? Number.NEGATIVE_INFINITY : now,
      deregisteredAt: undefined,
      health: new Health(options.settled === true ? "healthy" : "initial"),
    };
    // A machine that has not learnt of a deregistration yet acts upon the old registration until it does.
    const remembered = known.filter((earlier) => now < this.trafficUntil(earlier, 0, 1) || !this.#isGone(earlier, now));
    this.#targets.set(key, [...remembered, registered]);
  }

  /** Answers what was deregistered. Unknown targets, also those named without their port, are ignored. */
  deregister(description: TargetDescription, now: number): Target | undefined {
    const target = this.#find(description).at(-1);
    if (target === undefined || target.deregisteredAt !== undefined) return;
    target.deregisteredAt = now;
    return target;
  }

  /** Whether the target was registered again after this registration, whatever the API says yet. */
  isSuperseded(target: Target): boolean {
    return this.#find(target).at(-1) !== target;
  }

  /** What DescribeTargetHealth lists when no target is named. */
  listed(now: number): readonly Target[] {
    return [...this.#targets.values()]
      .map((targets) => spellAsOf(targets, this.#shownAsOf(now)))
      .filter((target) => target !== undefined)
      .filter((target) => !this.#isGone(target, now) && now < this.#droppedAt(target));
  }

  /** A target that is named in a call, if it is registered or draining, or was so when its instance was terminated. */
  named(description: TargetDescription, now: number): Target | undefined {
    const target = spellAsOf(this.#find(description), this.#shownAsOf(now));
    if (target === undefined) return undefined;
    return this.#isGone(target, now) && this.#isGone(target, this.#terminatedAt(target) ?? now) ? undefined : target;
  }

  /** What the API says of a registered or draining target. */
  apiHealth(target: Target, now: number): TargetHealth {
    // Of a terminated instance AWS goes on saying so for at least ten minutes, to a caller that names the target.
    if (hasEndedAsOf(target, this.#shownAsOf(now)) || this.#terminatedAt(target) !== undefined) {
      return {
        state: "draining",
        reason: "Target.DeregistrationInProgress",
        description: "Target deregistration is in progress",
      };
    }
    if (this.#surroundings.usedBy(this.arn) === undefined) {
      return {
        state: "unused",
        reason: "Target.NotInUse",
        description: "Target group is not configured to receive traffic from the load balancer",
      };
    }
    if (this.#hasStopped(target, now)) {
      return { state: "unused", reason: "Target.InvalidState", description: "Target is in the stopped state" };
    }
    const state = this.health(target, now);
    switch (state) {
      case "healthy":
        return { state };
      case "unhealthy":
        return { state, reason: "Target.Timeout", description: "Request timed out" };
      case "initial":
        return now < this.#trafficFrom(target)
          ? { state, reason: "Elb.RegistrationInProgress", description: "Target registration is in progress" }
          : { state, reason: "Elb.InitialHealthChecking", description: "Initial health checks in progress" };
      default:
        return state satisfies never;
    }
  }

  health(target: Target, now: number): HealthState {
    const answering = this.#surroundings.machineOf(target.id, this.vpcId)?.answering ?? ALWAYS_UP;
    return target.health.catchUp(now, answering, this.healthCheck, this.#trafficFrom(target));
  }

  /** Brings every target's health up to date: to be called before a process begins or ceases to answer. */
  catchUpHealth(now: number): void {
    for (const target of [...this.#targets.values()].flat()) this.health(target, now);
  }

  /**
   * Who gets new requests or flows from machine number `machine` of the load balancer. This is the truth about
   * traffic, which the API's states only approximate. When none is healthy, all registered targets get it. Targets in
   * zones that traffic was shifted away from never do.
   */
  routable(now: number, machine: number, machines: number): readonly Target[] {
    const known = [...this.#targets.values()].map((targets) =>
      targets.filter(
        (target) =>
          !this.isShifted(target) &&
          now >= this.#trafficFrom(target) &&
          now < this.trafficUntil(target, machine, machines),
      ),
    );
    const isHealthy = (target: Target) => this.health(target, now) === "healthy";
    const healthy = firsts(known.map((targets) => targets.filter(isHealthy)));
    return healthy.length > 0 ? healthy : firsts(known);
  }

  /**
   * Whether traffic was shifted away from the target's zone. It stays registered and healthy.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/zonal-shift.html
   */
  isShifted(target: Target): boolean {
    const shifted = this.#surroundings.shiftedZones(this.arn);
    if (shifted.size === 0) return false;
    const zone = target.zone ?? this.#surroundings.machineOf(target.id, this.vpcId)?.zone;
    return zone !== undefined && shifted.has(zone);
  }

  /** Until when machine number `machine` sends this registration new traffic, in milliseconds since the epoch. */
  trafficUntil(target: Target, machine: number, machines: number): number {
    const outAt = Math.min(
      target.deregisteredAt ?? Number.POSITIVE_INFINITY,
      this.#droppedAt(target),
      this.#stoppedAt(target),
    );
    return outAt + lagOf(this.#deregistrationLag(), machine, machines);
  }

  #find(description: TargetDescription): readonly Target[] {
    const port = description.port ?? this.port;
    const exact = this.#targets.get(keyOf(description.id, port, description.zone));
    if (exact !== undefined || description.zone !== undefined) return exact ?? [];
    // AWS fills in the zone of ip targets, and finds them without it.
    const isMeant = (target: Target | undefined) => target?.id === description.id && target.port === port;
    return [...this.#targets.values()].find(([target]) => isMeant(target)) ?? [];
  }

  /** Describe shows registrations and deregistrations as they were then. */
  #shownAsOf(now: number): number {
    return now - this.#surroundings.timing.apiPropagationMs;
  }

  #isGone(target: Target, now: number): boolean {
    return hasEndedAsOf(target, this.#shownAsOf(now) - this.drainingMs);
  }

  /** When the load balancer lets go of a terminated instance by itself. */
  #droppedAt(target: Target): number {
    const { shuttingDownMs, terminatedDropMs } = this.#surroundings.timing;
    return (this.#terminatedAt(target) ?? Number.POSITIVE_INFINITY) + shuttingDownMs + terminatedDropMs;
  }

  /** Addresses outlive their instances: they stay registered, and fail their health checks. */
  #terminatedAt(target: Target): number | undefined {
    return this.targetType === "instance"
      ? this.#surroundings.machineOf(target.id, this.vpcId)?.terminatedAt
      : undefined;
  }

  /** When the load balancer lets go of a stopped instance, until it is started again. */
  #stoppedAt(target: Target): number {
    const stoppedAt =
      this.targetType === "instance" ? this.#surroundings.machineOf(target.id, this.vpcId)?.stoppedAt : undefined;
    return (stoppedAt ?? Number.POSITIVE_INFINITY) + this.#surroundings.timing.stoppingMs;
  }

  #hasStopped(target: Target, now: number): boolean {
    return now >= this.#stoppedAt(target);
  }

  #trafficFrom(target: Target): number {
    const { albRegistrationMs, nlbRegistrationMs } = this.#surroundings.timing;
    return target.registeredAt + (this.#isApplication() ? albRegistrationMs : nlbRegistrationMs);
  }

  #deregistrationLag(): Range {
    const { albDeregistration, nlbDeregistration } = this.#surroundings.timing;
    return this.#isApplication() ? albDeregistration : nlbDeregistration;
  }

  #isApplication(): boolean {
    return isApplicationProtocol(this.protocol);
  }
}

/** The attributes that a new group of this protocol has. There are no others. */
export function defaultAttributes(protocol: string): Map<string, string> {
  const attributes = new Map([
    ["stickiness.enabled", "false"],
    [DEREGISTRATION_DELAY, "300"],
    ["load_balancing.cross_zone.enabled", "use_load_balancer_configuration"],
  ]);
  // https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
  if (protocol === "GENEVE") {
    for (const moment of ["on_deregistration", "on_unhealthy"]) {
      attributes.set(`target_failover.${moment}`, "no_rebalance");
      attributes.set(`send_tcp_reset.${moment}.enabled`, "false");
    }
  }
  if (protocol !== "GENEVE") {
    for (const action of ["dns_failover", "unhealthy_state_routing"]) {
      attributes.set(`target_group_health.${action}.minimum_healthy_targets.count`, "1");
      attributes.set(`target_group_health.${action}.minimum_healthy_targets.percentage`, "off");
    }
  }
  // An attribute of Network Load Balancers' groups alone, on by default for new UDP ones only.
  if (!isApplicationProtocol(protocol) && protocol !== "GENEVE") {
    attributes.set(CONNECTION_TERMINATION, String(protocol === "UDP" || protocol === "TCP_UDP"));
  }
  return attributes;
}

export function isQuic(protocol: string): boolean {
  return protocol === "QUIC" || protocol === "TCP_QUIC";
}

function isApplicationProtocol(protocol: string): boolean {
  return protocol === "HTTP" || protocol === "HTTPS";
}

function firsts<T>(lists: readonly (readonly T[])[]): readonly T[] {
  return lists.flatMap((list) => list.slice(0, 1));
}

function keyOf(id: string, port: number, zone: string | undefined): string {
  return `${id} ${port} ${zone ?? ""}`;
}
