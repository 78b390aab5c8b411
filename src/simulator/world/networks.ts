import { createHash } from "node:crypto";
import type { Instance } from "./instance.ts";

export interface Subnet {
  readonly id: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly cidr: string;
}

interface InVpc {
  readonly vpcId: string;
  readonly zones?: readonly string[];
}

interface Surroundings {
  readonly defaultZones: readonly string[];
  readonly instances: ReadonlyMap<string, Instance>;
  readonly targetGroups: ReadonlyMap<string, InVpc>;
  readonly loadBalancers: ReadonlyMap<string, InVpc>;
  readonly classics: ReadonlyMap<string, InVpc>;
}

/** The largest block that a VPC may have as one. */
export const VPC_CIDR = "10.0.0.0/16";
/** Of addresses in a subnet, less the five that AWS keeps. */
export const ADDRESSES_FREE = 8_187;

/**
 * The networks, of which only so much is simulated: in each VPC that anything is in, a public subnet for each zone. It is
 * named for both, `subnet-VPC-ZONE`. Addresses of instances need not fit.
 */
export class Networks {
  /** What CreateTags has put on VPCs, subnets and route tables, by their id. */
  readonly #tags = new Map<string, Map<string, string>>();
  readonly #world: Surroundings;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  get vpcIds(): readonly string[] {
    const { instances, targetGroups, loadBalancers, classics } = this.#world;
    const ofInterfaces = [...instances.values()].flatMap(({ interfaces }) => interfaces.map(({ vpcId }) => vpcId));
    const others = [targetGroups, loadBalancers, classics].flatMap((things) => [...things.values()]);
    const all = [...ofInterfaces, ...others.map(({ vpcId }) => vpcId)];
    return [...new Set(all.filter((id) => id !== ""))].sort();
  }

  /** Every zone of the region that is known. */
  get zones(): readonly string[] {
    const { defaultZones, instances, loadBalancers, classics } = this.#world;
    const balancers = [...loadBalancers.values(), ...classics.values()];
    const used = [...instances.values()].map(({ zone }) => zone);
    return [...new Set([...defaultZones, ...used, ...balancers.flatMap(({ zones = [] }) => zones)])].sort();
  }

  get subnets(): readonly Subnet[] {
    return this.vpcIds.flatMap((vpcId) =>
      this.zones.map((zone, index) => ({ id: subnetIdOf(vpcId, zone), vpcId, zone, cidr: `10.0.${32 * index}.0/19` })),
    );
  }

  tagsOf(id: string): Map<string, string> {
    const tags = this.#tags.get(id) ?? new Map<string, string>();
    this.#tags.set(id, tags);
    return tags;
  }
}

export function subnetIdOf(vpcId: string, zone: string): string {
  return `subnet-${vpcId}-${zone}`;
}

/** The only one of its VPC, with a way to the internet. */
export function routeTableIdOf(vpcId: string): string {
  return `rtb-${digitsOf(`route table of ${vpcId}`)}`;
}

export function gatewayIdOf(vpcId: string): string {
  return `igw-${digitsOf(`internet gateway of ${vpcId}`)}`;
}

/** 17 hexadecimal digits, as EC2's ids have, always the same ones. */
export function digitsOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 17);
}
