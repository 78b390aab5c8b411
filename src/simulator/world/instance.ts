import type { Timing } from "../timing.ts";
import type { Answering } from "./health.ts";

export interface InstanceInput {
  readonly id: string;
  readonly vpcId: string;
  readonly privateIp: string;
  readonly zone?: string;
  /** The private DNS name; by default the one EC2 makes from the address. */
  readonly name?: string;
  readonly secondaryIps?: readonly string[];
  readonly ipv6Addresses?: readonly string[];
  readonly ipv4Prefixes?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
}

export type InstanceStateName = "running" | "shutting-down" | "terminated";

export class Instance {
  readonly id: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly name: string;
  readonly privateIp: string;
  readonly secondaryIps: readonly string[];
  readonly ipv6Addresses: readonly string[];
  readonly ipv4Prefixes: readonly string[];
  readonly tags: Map<string, string>;
  readonly launchedAt: number;
  #terminatedAt: number | undefined;
  #answering: Answering;

  constructor(input: InstanceInput, region: string, now: number) {
    this.id = input.id;
    this.vpcId = input.vpcId;
    this.zone = input.zone ?? `${region}a`;
    this.privateIp = input.privateIp;
    this.name = input.name ?? `ip-${input.privateIp.replaceAll(".", "-")}.${region}.compute.internal`;
    this.secondaryIps = input.secondaryIps ?? [];
    this.ipv6Addresses = input.ipv6Addresses ?? [];
    this.ipv4Prefixes = input.ipv4Prefixes ?? [];
    this.tags = new Map(Object.entries(input.tags ?? {}));
    this.launchedAt = now;
    this.#answering = { up: true, since: now };
  }

  get answering(): Answering {
    return this.#answering;
  }

  /** When the machine stopped, in milliseconds since the epoch. */
  get terminatedAt(): number | undefined {
    return this.#terminatedAt;
  }

  state(now: number, timing: Timing): InstanceStateName {
    if (this.#terminatedAt === undefined) return "running";
    return now < this.#terminatedAt + timing.shuttingDownMs ? "shutting-down" : "terminated";
  }

  owns(address: string): boolean {
    return this.privateIp === address || this.secondaryIps.includes(address) || this.ipv6Addresses.includes(address);
  }

  setAnswering(up: boolean, now: number): void {
    if (this.#answering.up !== up) this.#answering = { up, since: now };
  }

  terminate(now: number): void {
    if (this.#terminatedAt !== undefined) return;
    this.#terminatedAt = now;
    this.setAnswering(false, now);
  }
}
