import type { Timing } from "../timing.ts";
import type { Answering } from "./health.ts";
import { type InterfaceInput, interfacesOf, type NetworkInterface, ownerIn } from "./network-interface.ts";

export interface InstanceInput {
  readonly id: string;
  readonly vpcId: string;
  readonly privateIp: string;
  readonly zone?: string;
  /** The private DNS name. Default: made from the address, as EC2 does. */
  readonly name?: string;
  readonly secondaryIps?: readonly string[];
  readonly ipv6Addresses?: readonly string[];
  /** Prefixes that are delegated to its network interface. It owns every address in them. */
  readonly ipv4Prefixes?: readonly string[];
  readonly ipv6Prefixes?: readonly string[];
  /** The interfaces after the first one, which has the addresses above. */
  readonly interfaces?: readonly InterfaceInput[];
  readonly tags?: Readonly<Record<string, string>>;
  /** Whether it is a spot instance, which EC2 may take back. Absent: it is an on-demand instance. */
  readonly isSpot?: boolean;
}

/**
 * How a machine is switched off. By default its operating system shuts down, and closes its connections.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-terminate-methods.html
 */
export interface SwitchingOff {
  /** The machine vanishes from the network without closing its connections, as when its host fails. Default: false. */
  readonly skipOsShutdown?: boolean;
}

/** How a machine fails to answer. See `Instance.setAnswering`. */
export interface NotAnswering {
  readonly refuses?: boolean;
}

export type InstanceStateName = "pending" | "running" | "stopping" | "stopped" | "shutting-down" | "terminated";

export class Instance {
  readonly id: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly name: string;
  readonly privateIp: string;
  readonly secondaryIps: readonly string[];
  readonly ipv6Addresses: readonly string[];
  readonly ipv4Prefixes: readonly string[];
  readonly ipv6Prefixes: readonly string[];
  readonly tags: Map<string, string>;
  readonly isSpot: boolean;
  readonly launchedAt: number;
  /** The first interface, the further ones, and the branches of trunks. */
  readonly interfaces: readonly NetworkInterface[];
  readonly #owns: (address: string) => boolean;
  readonly #ownsIn: ReadonlyMap<string, (address: string) => boolean>;
  #terminatedAt: number | undefined;
  #stoppedAt: number | undefined;
  #hasVanished = false;
  /** When it was launched, or started after a stop. */
  #startedAt = Number.NEGATIVE_INFINITY;
  #answering: Answering;
  #refuses = false;
  #eligible: Answering;

  constructor(input: InstanceInput, region: string, now: number) {
    this.id = input.id;
    this.vpcId = input.vpcId;
    this.zone = input.zone ?? `${region}a`;
    this.privateIp = input.privateIp;
    this.name = input.name ?? privateNameOf(input.privateIp, region);
    this.secondaryIps = input.secondaryIps ?? [];
    this.ipv6Addresses = input.ipv6Addresses ?? [];
    this.ipv4Prefixes = input.ipv4Prefixes ?? [];
    this.ipv6Prefixes = input.ipv6Prefixes ?? [];
    const { ipv6Addresses, ipv4Prefixes, ipv6Prefixes } = this;
    const first = { privateIps: [this.privateIp, ...this.secondaryIps], ipv6Addresses, ipv4Prefixes, ipv6Prefixes };
    this.interfaces = interfacesOf(input, first, input.interfaces ?? []);
    this.#owns = ownerIn(this.interfaces);
    const vpcs = [...new Set(this.interfaces.map(({ vpcId }) => vpcId))];
    const inVpc = (vpc: string) => this.interfaces.filter(({ vpcId }) => vpcId === vpc);
    this.#ownsIn = new Map(vpcs.map((vpc) => [vpc, vpcs.length === 1 ? this.#owns : ownerIn(inVpc(vpc))]));
    this.tags = new Map(Object.entries(input.tags ?? {}));
    this.isSpot = input.isSpot ?? false;
    this.launchedAt = now;
    this.#answering = { up: true, since: now };
    this.#eligible = { up: true, since: now };
  }

  get answering(): Answering {
    return this.#answering;
  }

  /** Whether its kube-proxy reports on port 10256 that the node may get traffic. */
  get kubeProxyAnswering(): Answering {
    const both = [this.#answering, this.#eligible];
    const down = both.filter(({ up }) => !up);
    if (down.length > 0) return { up: false, since: Math.min(...down.map(({ since }) => since)) };
    return { up: true, since: Math.max(...both.map(({ since }) => since)) };
  }

  /** When the machine was terminated, in milliseconds since the epoch. */
  get terminatedAt(): number | undefined {
    return this.#terminatedAt;
  }

  /** When the machine was stopped, in milliseconds since the epoch. Undefined again when it is started. */
  get stoppedAt(): number | undefined {
    return this.#stoppedAt;
  }

  /** Whether it was stopped or terminated. It may still be stopping or shutting down. */
  get isOff(): boolean {
    return this.#terminatedAt !== undefined || this.#stoppedAt !== undefined;
  }

  /** Whether it is off and had no time to close its connections. */
  get hasVanished(): boolean {
    return this.#hasVanished;
  }

  /** When it began or will begin to run, in milliseconds since the epoch. Minus infinity: never launched or started. */
  runsFrom({ pendingMs }: Timing): number {
    return this.#startedAt + pendingMs;
  }

  state(now: number, timing: Timing): InstanceStateName {
    if (this.#terminatedAt !== undefined) {
      return now < this.#terminatedAt + timing.shuttingDownMs ? "shutting-down" : "terminated";
    }
    if (this.#stoppedAt !== undefined) return now < this.#stoppedAt + timing.stoppingMs ? "stopping" : "stopped";
    return now < this.runsFrom(timing) ? "pending" : "running";
  }

  /** `vpcId`: only in this VPC. In another VPC, another machine may have the same address. */
  owns(address: string, vpcId?: string): boolean {
    // The usual case must be fast: it occurs a thousand times a second. An IPv4 address has only one notation.
    if (this.interfaces.length === 1 && this.ipv4Prefixes.length === 0 && !address.includes(":")) {
      if (vpcId !== undefined && vpcId !== this.vpcId) return false;
      return address === this.privateIp || this.secondaryIps.includes(address);
    }
    return vpcId === undefined ? this.#owns(address) : (this.#ownsIn.get(vpcId)?.(address) ?? false);
  }

  /** `refuses`: the machine runs without the program, and refuses connections. Otherwise it does not answer at all. */
  setAnswering(up: boolean, now: number, { refuses = false }: NotAnswering = {}): void {
    if (this.#answering.up !== up) this.#answering = { up, since: now };
    this.#refuses = !up && refuses;
  }

  get isRefusing(): boolean {
    return this.#refuses;
  }

  get isEligible(): boolean {
    return this.#eligible.up;
  }

  /** `up`: its Node object is neither being deleted nor tainted by cluster-autoscaler. */
  setEligible(up: boolean, now: number): void {
    if (this.#eligible.up !== up) this.#eligible = { up, since: now };
  }

  stop(now: number, { skipOsShutdown }: SwitchingOff): void {
    this.#stoppedAt ??= now;
    this.#hasVanished = skipOsShutdown === true;
    this.setAnswering(false, now);
  }

  /** Its processes answer as soon as it runs. */
  start(now: number, timing: Timing): void {
    this.#stoppedAt = undefined;
    this.#hasVanished = false;
    this.#startedAt = now;
    this.setAnswering(true, now + timing.pendingMs);
  }

  terminate(now: number, { skipOsShutdown }: SwitchingOff): void {
    if (this.#terminatedAt !== undefined) return;
    this.#terminatedAt = now;
    this.#hasVanished ||= skipOsShutdown === true;
    this.setAnswering(false, now);
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html#ipbn-ec2-instance-hostname */
export function privateNameOf(address: string, region: string): string {
  const domain = region === "us-east-1" ? "ec2.internal" : `${region}.compute.internal`;
  return `ip-${address.replaceAll(".", "-")}.${domain}`;
}

/** Each instance has a reservation of its own. */
export function reservationIdOf({ id }: Instance): string {
  return id.replace("i-", "r-");
}

interface Surroundings {
  machineOf(targetId: string): Instance | undefined;
  newHexDigits(): string;
}

/** Addresses of launched machines: 10.192.0.0/10. */
const FIRST_OCTET = 192;
const ADDRESSES = 2 ** 22;

/** The properties that a launched machine has in common with its model. */
export type Likeness = Pick<Instance, "vpcId" | "zone" | "tags" | "isSpot">;

/** The input for a machine like the given one, with the same tags, and with an address that no machine has or had. */
export function likenessOf({ vpcId, zone, tags, isSpot }: Likeness, world: Surroundings): InstanceInput {
  const own = { id: `i-0${world.newHexDigits()}`, privateIp: freeIp(world) };
  return { ...own, vpcId, zone, tags: Object.fromEntries(tags), isSpot };
}

function freeIp(world: Surroundings): string {
  for (let number = 0; number < ADDRESSES; number++) {
    const address = `10.${FIRST_OCTET + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    if (world.machineOf(address) === undefined) return address;
  }
  throw new Error("no address is left for another machine");
}
