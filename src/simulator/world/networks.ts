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

/** The largest CIDR block of a VPC. */
export const VPC_CIDR = "10.0.0.0/16";
/** Free addresses in a subnet, without the five that AWS reserves. */
export const ADDRESSES_FREE = 8_187;

/**
 * The networks, as far as they are simulated: in each VPC that is in use, one public subnet in each zone. Its id
 * contains the VPC and the zone: `subnet-VPC-ZONE`. Addresses of instances need not be in the range of a subnet.
 */
export class Networks {
  /** The tags of VPCs, subnets and route tables from CreateTags, by resource id. */
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

  /** All known zones of the region. */
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

/** The only route table of a VPC. It has a route to the internet. */
export function routeTableIdOf(vpcId: string): string {
  return `rtb-${digitsOf(`route table of ${vpcId}`)}`;
}

export function gatewayIdOf(vpcId: string): string {
  return `igw-${digitsOf(`internet gateway of ${vpcId}`)}`;
}

/** 17 hexadecimal digits, like EC2's ids. The same text always gives the same digits. */
export function digitsOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 17);
}
