import type { Clock } from "../clock.ts";
import { lagOf, type Timing } from "../timing.ts";
import { entryZones } from "./entry-zones.ts";
import { Health, type HealthCheck, hasEndedAsOf, type Spell, spellAsOf } from "./health.ts";
import type { Instance } from "./instance.ts";
import type { Scheme } from "./load-balancer.ts";
import { defaultIdOf } from "./security-groups.ts";

export interface ClassicListener {
  readonly protocol: string;
  readonly port: number;
  readonly instanceProtocol: string;
  readonly instancePort: number;
  /** The certificate of an HTTPS or SSL listener. */
  readonly certificateArn?: string;
}

export interface ClassicLoadBalancerInput {
  readonly name: string;
  readonly vpcId: string;
  readonly zones: readonly string[];
  readonly listeners: readonly ClassicListener[];
  readonly createdAt: number;
  /** Default: internet-facing. */
  readonly scheme?: Scheme;
  /** Default: the default security group of its VPC. */
  readonly securityGroups?: readonly string[];
  /** Default: true. CreateLoadBalancer sets false. */
  readonly isCrossZone?: boolean;
}

export interface ClassicSurroundings {
  readonly clock: Pick<Clock, "now">;
  readonly timing: Timing;
  readonly region: string;
  instance(id: string): Instance | undefined;
}

export interface InstanceState {
  readonly instanceId: string;
  readonly state: "InService" | "OutOfService" | "Unknown";
  readonly reasonCode: "ELB" | "Instance" | "N/A";
  readonly description: string;
}

/** The settings of its access log. No log is written. */
export interface AccessLog {
  readonly enabled: boolean;
  readonly bucket?: string;
  readonly prefix?: string;
  readonly emitIntervalMinutes?: number;
}

/** https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AdditionalAttribute.html */
export const DESYNC_MITIGATION_MODES = ["monitor", "defensive", "strictest"] as const;
export type DesyncMitigationMode = (typeof DESYNC_MITIGATION_MODES)[number];

interface ClassicRegistration extends Spell {
  /** When a read first found that draining had ended, in milliseconds since the epoch. */
  endedAt: number | undefined;
  readonly health: Health;
  requestsInFlight: number;
  /** Since when no request is in flight. Without meaning while one is. */
  idleSince: number;
}

/** The defaults of CreateLoadBalancer: connection draining is off. */
const DEFAULT_DRAINING = { enabled: false, timeoutSeconds: 300 };
const DEFAULT_HEALTH_CHECK: HealthCheck = { intervalMs: 30_000, healthyThreshold: 10, unhealthyThreshold: 2 };

/** A classic load balancer. It has one registration for each instance, whatever the number of listeners. */
export class ClassicLoadBalancer {
  readonly name: string;
  readonly vpcId: string;
  readonly createdAt: number;
  readonly scheme: Scheme;
  /** The enabled zones. It has one subnet in each. */
  zones: readonly string[];
  listeners: readonly ClassicListener[];
  securityGroups: readonly string[];
  isCrossZone: boolean;
  idleTimeoutSeconds = 60;
  accessLog: AccessLog = { enabled: false };
  /** It is kept, and has no effect. */
  desyncMitigationMode: DesyncMitigationMode = "defensive";
  readonly tags = new Map<string, string>();
  draining = DEFAULT_DRAINING;
  healthCheckTarget: string;
  healthCheckTimeoutSeconds = 5;
  healthCheck = DEFAULT_HEALTH_CHECK;
  /** By instance: every registration that may still affect traffic or the API, the newest last. */
  readonly #registrations = new Map<string, readonly ClassicRegistration[]>();
  readonly #surroundings: ClassicSurroundings;

  constructor(input: ClassicLoadBalancerInput, surroundings: ClassicSurroundings) {
    this.name = input.name;
    this.vpcId = input.vpcId;
    this.zones = input.zones;
    this.listeners = input.listeners;
    this.createdAt = input.createdAt;
    this.scheme = input.scheme ?? "internet-facing";
    this.securityGroups = input.securityGroups ?? [defaultIdOf(input.vpcId)];
    this.isCrossZone = input.isCrossZone ?? true;
    this.healthCheckTarget = `TCP:${input.listeners[0]?.instancePort ?? 80}`;
    this.#surroundings = surroundings;
  }

  register(id: string, now: number, options: { readonly settled?: boolean } = {}): void {
    if (this.isRegistered(id)) return;
    const known = this.#registrations.get(id) ?? [];
    const registered: ClassicRegistration = {
      registeredAt: options.settled === true ? Number.NEGATIVE_INFINITY : now,
      deregisteredAt: undefined,
      endedAt: undefined,
      health: new Health(options.settled === true ? "healthy" : "initial"),
      requestsInFlight: known.at(-1)?.requestsInFlight ?? 0,
      idleSince: known.at(-1)?.idleSince ?? Number.NEGATIVE_INFINITY,
    };
    // A load balancer machine that has not learned of a deregistration yet still uses the old registration.
    const remembered = known.filter(
      (earlier) => now < this.#trafficUntil(id, earlier, 0, 1) || !this.#hasEnded(earlier, now),
    );
    this.#registrations.set(id, [...remembered, registered]);
  }

  /** Whether the instance is registered now, even if the API does not show it yet. */
  isRegistered(id: string): boolean {
    const newest = this.#registrations.get(id)?.at(-1);
    return newest !== undefined && newest.deregisteredAt === undefined;
  }

  /** Whether the instance was ever registered. AWS's error depends on it. */
  knows(id: string): boolean {
    return this.#registrations.has(id);
  }

  deregister(id: string, now: number): boolean {
    const registration = this.#registrations.get(id)?.at(-1);
    if (registration === undefined || registration.deregisteredAt !== undefined) return false;
    registration.deregisteredAt = now;
    return true;
  }

  /**
   * The instances that DescribeLoadBalancers lists: not those that drain or are gone. AWS drops terminated instances.
   */
  registered(now: number): readonly string[] {
    const asOf = this.#shownAsOf(now);
    return [...this.#registrations.keys()].filter((id) => {
      const registration = this.#printable(id, now);
      return registration !== undefined && !hasEndedAsOf(registration, asOf) && now < this.#droppedAt(id);
    });
  }

  /** The state in DescribeInstanceHealth. Undefined for a terminated instance, which has none. */
  apiState(id: string, now: number): InstanceState | undefined {
    const instance = this.#surroundings.instance(id);
    if (instance !== undefined && instance.state(now, this.#surroundings.timing) === "terminated") return undefined;
    const registration = this.#printable(id, now);
    if (registration === undefined || this.#hasEnded(registration, now)) {
      const description = "Instance is not currently registered with the LoadBalancer.";
      return { instanceId: id, state: "OutOfService", reasonCode: "Instance", description };
    }
    if (hasEndedAsOf(registration, this.#shownAsOf(now))) {
      const description = "Instance deregistration currently in progress.";
      return { instanceId: id, state: "InService", reasonCode: "N/A", description };
    }
    if (!this.#isInEnabledZone(id)) {
      const description =
        "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.";
      return { instanceId: id, state: "OutOfService", reasonCode: "ELB", description };
    }
    if (now >= this.#stoppedAt(id)) {
      const description = "Instance is in stopped state.";
      return { instanceId: id, state: "OutOfService", reasonCode: "Instance", description };
    }
    const health = this.#health(id, registration, now);
    switch (health) {
      case "healthy":
        return { instanceId: id, state: "InService", reasonCode: "N/A", description: "N/A" };
      case "unhealthy":
        return {
          instanceId: id,
          state: "OutOfService",
          reasonCode: "Instance",
          description: "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
        };
      case "initial":
        return {
          instanceId: id,
          state: "OutOfService",
          reasonCode: "ELB",
          description: "Instance registration is still in progress.",
        };
      default:
        return health satisfies never;
    }
  }

  /**
   * The instances to which machine number `machine` of the load balancer sends new requests. Unlike an ALB, it never
   * sends them to unhealthy instances. `zone`: the instances for the load balancer's node in that zone, without
   * cross-zone load balancing.
   */
  routable(now: number, machine: number, machines: number, zone?: string): readonly string[] {
    const { timing } = this.#surroundings;
    return [...this.#registrations]
      .filter(([id, registrations]) =>
        registrations.some(
          (registration) =>
            this.#isInEnabledZone(id) &&
            (zone === undefined || this.#surroundings.instance(id)?.zone === zone) &&
            now >= registration.registeredAt + timing.classicRegistrationMs &&
            now < this.#trafficUntil(id, registration, machine, machines) &&
            this.#health(id, registration, now) === "healthy",
        ),
      )
      .map(([id]) => id);
  }

  /**
   * The zones whose load balancer nodes get new clients. Undefined with cross-zone load balancing. Without it, each
   * node sends to the instances in its own zone only.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-disable-crosszone-lb.html
   */
  entryZones(now: number): readonly string[] | undefined {
    if (this.isCrossZone) return undefined;
    const { timing } = this.#surroundings;
    const targets = [...this.#registrations].flatMap(([id, registrations]) =>
      registrations.map((registration) => {
        const health = this.#health(id, registration, now);
        const servedUntil = health === "unhealthy" ? registration.health.since : Number.POSITIVE_INFINITY;
        return {
          zone: this.#surroundings.instance(id)?.zone,
          hasServed: health !== "initial",
          servesUntil: Math.min(servedUntil, this.#trafficUntil(id, registration, 0, 1)),
        };
      }),
    );
    return entryZones({ zones: this.zones }, targets, now - timing.dnsTtlMs);
  }

  catchUpHealth(now: number): void {
    for (const [id, registrations] of this.#registrations) {
      for (const registration of registrations) this.#health(id, registration, now);
    }
  }

  /** Called by the data plane, because draining ends when no request is in flight any more. */
  requestStarted(id: string): void {
    const registration = this.#registrations.get(id)?.at(-1);
    if (registration !== undefined) registration.requestsInFlight += 1;
  }

  requestEnded(id: string): void {
    const registration = this.#registrations.get(id)?.at(-1);
    if (registration === undefined) return;
    registration.requestsInFlight -= 1;
    registration.idleSince = this.#surroundings.clock.now();
  }

  /** When a deregistered instance leaves at the latest. It leaves earlier if its requests end earlier. */
  leavesAt(id: string): number | undefined {
    const registration = this.#registrations.get(id)?.at(-1);
    if (registration?.deregisteredAt === undefined) return undefined;
    const { deregisteredAt, requestsInFlight, idleSince } = registration;
    const [, lastLearns] = this.#surroundings.timing.classicDeregistration;
    const idleAt = requestsInFlight > 0 ? Number.POSITIVE_INFINITY : Math.max(deregisteredAt + lastLearns, idleSince);
    return Math.min(idleAt, deregisteredAt + this.drainingMs);
  }

  get drainingMs(): number {
    return this.draining.enabled ? this.draining.timeoutSeconds * 1_000 : 0;
  }

  #health(id: string, registration: ClassicRegistration, now: number) {
    const { timing } = this.#surroundings;
    const instance = this.#surroundings.instance(id);
    // An instance that was stopped and started is checked like a new one.
    const runsFrom = instance?.runsFrom(timing) ?? Number.NEGATIVE_INFINITY;
    const checkedSince = Math.max(registration.registeredAt + timing.classicRegistrationMs, runsFrom);
    return registration.health.catchUp(
      now,
      instance?.answering ?? { up: false, since: now },
      this.healthCheck,
      checkedSince,
    );
  }

  /** Describe calls show registrations and deregistrations as they were at this time. */
  #shownAsOf(now: number): number {
    return now - this.#surroundings.timing.apiPropagationMs;
  }

  #printable(id: string, now: number): ClassicRegistration | undefined {
    return spellAsOf(this.#registrations.get(id) ?? [], this.#shownAsOf(now));
  }

  #hasEnded(registration: ClassicRegistration, now: number): boolean {
    const asOf = this.#shownAsOf(now);
    const { deregisteredAt } = registration;
    if (deregisteredAt === undefined || asOf < deregisteredAt) return false;
    const [, lastLearns] = this.#surroundings.timing.classicDeregistration;
    const isIdle = asOf >= deregisteredAt + lastLearns && registration.requestsInFlight === 0;
    if (isIdle || asOf >= deregisteredAt + this.drainingMs) registration.endedAt ??= now;
    return registration.endedAt !== undefined;
  }

  #trafficUntil(id: string, { deregisteredAt }: Spell, machine: number, machines: number): number {
    const outAt = Math.min(deregisteredAt ?? Number.POSITIVE_INFINITY, this.#droppedAt(id), this.#stoppedAt(id));
    return outAt + lagOf(this.#surroundings.timing.classicDeregistration, machine, machines);
  }

  /** https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html */
  #isInEnabledZone(id: string): boolean {
    const zone = this.#surroundings.instance(id)?.zone;
    return zone === undefined || this.zones.includes(zone);
  }

  /** When the load balancer stops using a stopped instance, until it is started again. */
  #stoppedAt(id: string): number {
    const stoppedAt = this.#surroundings.instance(id)?.stoppedAt ?? Number.POSITIVE_INFINITY;
    return stoppedAt + this.#surroundings.timing.stoppingMs;
  }

  /** When the load balancer drops a terminated instance by itself. */
  #droppedAt(id: string): number {
    const { timing } = this.#surroundings;
    const terminatedAt = this.#surroundings.instance(id)?.terminatedAt ?? Number.POSITIVE_INFINITY;
    return terminatedAt + timing.shuttingDownMs + timing.terminatedDropMs;
  }
}
