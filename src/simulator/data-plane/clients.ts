import type { Target, TargetGroup } from "../world/target-group.ts";
import { MACHINES } from "./passages.ts";

/** Each choice has a hash of its own. With one for all, flows to one group would reach only one of its targets. */
const CHOICES = { machine: 0x2545f491, zone: 0x9e3779b1, group: 0x4f6cdd1d, target: 0x1b873593 };
type Choice = keyof typeof CHOICES;

/**
 * The clients of a data plane, by their ports. What is chosen for a client follows from the seed and from the number of
 * clients before it, because the kernel gives it another port in each run. The same port is the same client. If
 * addresses distinguish clients, a number for the address is used instead of the port.
 */
export class Clients {
  readonly #seed: number;
  readonly #numbers = new Map<number, number>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /**
   * One of `count` things, from 0. Always the same one for the same client and the same `count`. 0 if there is none.
   */
  choose(port: number, choice: Choice, count: number): number {
    return this.ticketOf(port, choice) % Math.max(1, count);
  }

  /** A client's connection comes in through one of a load balancer's machines, and stays there. */
  machineFor(client: number): number {
    return this.choose(client, "machine", MACHINES);
  }

  /** One of these, always the same for the same client. */
  zoneFor(client: number, zones: readonly string[] | undefined): string | undefined {
    return zones?.[this.choose(client, "zone", zones.length)];
  }

  /**
   * The targets that may get what the client sends. Without cross-zone load balancing the client has resolved the
   * address of one zone, whose node only knows that zone's targets.
   */
  receiversOf(
    group: TargetGroup | undefined,
    client: number,
    now: number,
  ): { readonly zone?: string | undefined; readonly targets: readonly Target[] } {
    const zone = this.zoneFor(client, group?.entryZones(now));
    return { zone, targets: group?.routable(now, this.machineFor(client), MACHINES, zone) ?? [] };
  }

  /** A whole number, always the same one for the same client. */
  ticketOf(port: number, choice: Choice): number {
    return this.#hash(this.#numberOf(port), choice);
  }

  #numberOf(port: number): number {
    const known = this.#numbers.get(port);
    if (known !== undefined) return known;
    const number = this.#numbers.size + 1;
    this.#numbers.set(port, number);
    return number;
  }

  /** Spreads neighbouring numbers evenly too. */
  #hash(client: number, choice: Choice): number {
    let hash = client ^ CHOICES[choice] ^ Math.imul(this.#seed, 0x27d4eb2f);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}
