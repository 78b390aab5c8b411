import type { Instance, InstanceInput } from "./instance.ts";

interface Surroundings {
  machineOf(targetId: string): Instance | undefined;
  newHexDigits(): string;
}

/** Addresses of launched machines: 10.192.0.0/10. */
const FIRST_OCTET = 192;
const ADDRESSES = 2 ** 22;

/** Another machine beside one, with its tags, and an address that no machine has or had. */
export function likenessOf({ vpcId, zone, tags }: Instance, world: Surroundings): InstanceInput {
  return { id: `i-0${world.newHexDigits()}`, vpcId, zone, privateIp: freeIp(world), tags: Object.fromEntries(tags) };
}

function freeIp(world: Surroundings): string {
  for (let number = 0; number < ADDRESSES; number++) {
    const address = `10.${FIRST_OCTET + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    if (world.machineOf(address) === undefined) return address;
  }
  throw new Error("no address is left for another machine");
}
