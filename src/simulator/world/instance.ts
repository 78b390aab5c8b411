import type { Timing } from "../timing.ts";
import type { Answering } from "./health.ts";
import { type InterfaceInput, interfacesOf, type NetworkInterface, ownerIn } from "./network-interface.ts";

export interface InstanceInput {
  readonly id: string;
  readonly vpcId: string;
  readonly privateIp: string;
  readonly zone?: string;
  /** The private DNS name; by default the one EC2 makes from the address. */
  readonly name?: string;
  readonly secondaryIps?: readonly string[];
  readonly ipv6Addresses?: readonly string[];
  /** Delegated to its network interface: it owns every address in them. */
  readonly ipv4Prefixes?: readonly string[];
  readonly ipv6Prefixes?: readonly string[];
  /** Besides the first one, which has the addresses above. */
  readonly interfaces?: readonly InterfaceInput[];
  readonly tags?: Readonly<Record<string, string>>;
  /** EC2 may take it back. Absent: it is an on-demand instance. */
  readonly isSpot?: boolean;
}

/**
 * How a machine is switched off: by default its operating system shuts down, and so closes its connections.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-terminate-methods.html
 */
export interface SwitchingOff {
  /** It vanishes from the network in the middle of everything, as when its host fails. Default: false. */
  readonly skipOsShutdown?: boolean;
}

/** How a machine does not answer. */
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
  /** The first one, the further ones, and the branches of those that are trunks. */
  readonly interfaces: readonly NetworkInterface[];
  readonly #owns: (address: string) => boolean;
  readonly #ownsIn: ReadonlyMap<string, (address: string) => boolean>;
  #terminatedAt: number | undefined;
  #stoppedAt: number | undefined;
  #hasVanished = false;
  /** When it was started, where it had been stopped. */
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

  /** Whether its kube-proxy says on port 10256 that the node may get traffic. */
  get kubeProxyAnswering(): Answering {
    const both = [this.#answering, this.#eligible];
    const down = both.filter(({ up }) => !up);
    if (down.length > 0) return { up: false, since: Math.min(...down.map(({ since }) => since)) };
    return { up: true, since: Math.max(...both.map(({ since }) => since)) };
  }

  /** When the machine was switched off for good, in milliseconds since the epoch. */
  get terminatedAt(): number | undefined {
    return this.#terminatedAt;
  }

  /** Since when the machine is off, until it is started again. In milliseconds since the epoch. */
  get stoppedAt(): number | undefined {
    return this.#stoppedAt;
  }

  /** Whether it is off, or on its way there. */
  get isOff(): boolean {
    return this.#terminatedAt !== undefined || this.#stoppedAt !== undefined;
  }

  /** It is off, and its system had no time to close any connection. */
  get hasVanished(): boolean {
    return this.#hasVanished;
  }

  /** Since when it runs, or will, in milliseconds since the epoch. Minus infinity where it was never launched or started. */
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

  /** `vpcId`: in this VPC alone. The same address may be another machine's in another one. */
  owns(address: string, vpcId?: string): boolean {
    // IPv4 addresses are written in one way only, and asked about a thousand times a second.
    if (this.interfaces.length === 1 && this.ipv4Prefixes.length === 0 && !address.includes(":")) {
      if (vpcId !== undefined && vpcId !== this.vpcId) return false;
      return address === this.privateIp || this.secondaryIps.includes(address);
    }
    return vpcId === undefined ? this.#owns(address) : (this.#ownsIn.get(vpcId)?.(address) ?? false);
  }

  /** `refuses`: it runs on without the program, and so refuses connections. Otherwise one that does not answer is silent. */
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

  /** Whether its Node object is neither being deleted nor tainted by cluster-autoscaler. */
  setEligible(up: boolean, now: number): void {
    if (this.#eligible.up !== up) this.#eligible = { up, since: now };
  }

  stop(now: number, { skipOsShutdown }: SwitchingOff): void {
    this.#stoppedAt ??= now;
    this.#hasVanished = skipOsShutdown === true;
    this.setAnswering(false, now);
  }

  /** Its processes answer once it runs. */
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

/** Each instance is of a reservation of its own. */
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

/** What a launched machine has of another one. */
export type Likeness = Pick<Instance, "vpcId" | "zone" | "tags" | "isSpot">;

/** Another machine beside one, with its tags, and an address that no machine has or had. */
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
