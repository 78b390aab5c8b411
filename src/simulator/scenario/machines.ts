import type { InstanceInput } from "../world/instance.ts";
import { interfacesOf } from "../world/network-interface.ts";
import type { Problem } from "./problem.ts";
import type { Scenario } from "./schema.ts";

export const DEFAULT_REGION = "eu-west-1";
export const DEFAULT_VPC = "vpc-0123456789abcdef0";

/** One machine of a scenario. */
export interface Machine {
  /** Its name in the scenario. */
  readonly name: string;
  readonly input: InstanceInput;
  readonly isStopped: boolean;
  readonly isExcluded: boolean;
}

type Entry = NonNullable<Scenario["instances"]>[number];

/** All machines of a scenario, in the order of its entries. */
export function machinesOf({ instances = [], region = DEFAULT_REGION, vpcs }: Scenario): readonly Machine[] {
  const firstVpc = vpcs?.[0]?.id ?? DEFAULT_VPC;
  return instances.flatMap((entry, index) => {
    const { tags, vpc = firstVpc, zones = ["a", "b", "c"].map((letter) => region + letter) } = entry;
    const { firstId = `i-0${hex(index + 1, 4)}${hex(1, 12)}`, firstIp = `10.${index % 256}.0.10` } = entry;
    return machineNames(entry).map((name, number) => ({
      name,
      input: {
        id: `i-${hex(BigInt(`0x${firstId.slice("i-".length)}`) + BigInt(number), 17)}`,
        privateIp: addressAfter(firstIp, number),
        vpcId: vpc,
        zone: zones[number % zones.length] ?? region,
        ...networkOf(entry),
        ...(tags === undefined ? {} : { tags }),
        ...(entry.spot === undefined ? {} : { isSpot: entry.spot }),
      },
      isStopped: entry.state === "stopped",
      isExcluded: entry.excluded === true,
    }));
  });
}

function networkOf(entry: Entry): Partial<InstanceInput> {
  const { privateDnsName: name, secondaryIps = [], ipv6Addresses = [], ipv4Prefixes = [], ipv6Prefixes = [] } = entry;
  const interfaces = (entry.interfaces ?? []).map(({ branches = [], ...own }) => ({
    ...interfaceOf(own),
    branches: branches.map(interfaceOf),
  }));
  return {
    secondaryIps,
    ipv6Addresses,
    ipv4Prefixes,
    ipv6Prefixes,
    ...(name === undefined ? {} : { name }),
    ...(interfaces.length === 0 ? {} : { interfaces }),
  };
}

type ScenarioInterface = Omit<NonNullable<Entry["interfaces"]>[number], "branches">;

function interfaceOf({ vpc, addresses, ipv4Prefixes }: ScenarioInterface) {
  return {
    privateIps: addresses,
    ...(vpc === undefined ? {} : { vpcId: vpc }),
    ...(ipv4Prefixes === undefined ? {} : { ipv4Prefixes }),
  };
}

/**
 * The names of the machines of an entry: the name of the entry for a single machine, otherwise that name with a number.
 */
export function machineNames({ name, count = 1 }: Pick<Entry, "name" | "count">): readonly string[] {
  return count === 1 ? [name] : Array.from({ length: count }, (_, number) => `${name}-${number + 1}`);
}

/** The machines that would have the same id, or in one VPC the same address, prefix or private DNS name. */
export function clashesOf(scenario: Scenario): readonly Problem[] {
  const owners = new Map<string, string>();
  return machinesOf(scenario).flatMap(({ name, input }) =>
    [`id ${input.id}`, ...thingsInVpcs(input)].flatMap((thing) => {
      const owner = owners.get(thing);
      owners.set(thing, owner ?? name);
      return owner === undefined
        ? []
        : [{ path: ["instances"], message: `${owner} and ${name} both have the ${thing}` }];
    }),
  );
}

function thingsInVpcs(input: InstanceInput): readonly string[] {
  const { privateIp, secondaryIps = [], ipv6Addresses = [], ipv4Prefixes = [], ipv6Prefixes = [] } = input;
  const { name, interfaces = [] } = input;
  const first = { privateIps: [privateIp, ...secondaryIps], ipv6Addresses, ipv4Prefixes, ipv6Prefixes };
  const all = interfacesOf(input, first, interfaces).flatMap((one) => [
    ...[...one.privateIps, ...one.ipv6Addresses].map((address) => `address ${address} in ${one.vpcId}`),
    ...[...one.ipv4Prefixes, ...one.ipv6Prefixes].map((prefix) => `prefix ${prefix} in ${one.vpcId}`),
  ]);
  return name === undefined ? all : [...all, `private DNS name ${name} in ${input.vpcId}`];
}

function hex(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function addressAfter(first: string, steps: number): string {
  const [a = 0, b = 0, c = 0, d = 0] = first.split(".").map(Number);
  const address = ((a << 24) | (b << 16) | (c << 8) | d) + steps;
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}
