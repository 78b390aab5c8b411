import type { World } from "../world/world.ts";

/** Of a classic load balancer without a port. */
export interface Recorded {
  readonly id: string;
  readonly port?: number;
}

/** A target's name within its pool. */
export function nameOf({ id, port }: Recorded): string {
  return `${id} ${port ?? ""}`;
}

/** Every target that was registered since the region opened, also those that AWS does not list any more. */
export class TargetRecord {
  readonly #world: World;
  /** By the pool, a target group's ARN or a classic load balancer's name, and then by their names in it. */
  readonly #targets = new Map<string, Map<string, Recorded>>();

  constructor(world: World) {
    this.#world = world;
    this.#addListed();
    world.watch((change) => {
      if (change.type === "target-deregistered") {
        const { id, port } = change.target;
        this.#add(change.group.arn, { id, port });
      }
      if (change.type === "classic-deregistered") this.#add(change.loadBalancer.name, { id: change.instanceId });
      // AWS lists the targets of a terminated machine for some seconds more, and nothing announces their end.
      if (change.type === "instance-terminated") this.#addListed();
    });
  }

  /** Of a target group's ARN or a classic load balancer's name. */
  of(pool: string): readonly Recorded[] {
    return [...(this.#targets.get(pool)?.values() ?? [])];
  }

  #addListed(): void {
    const now = this.#world.clock.now();
    for (const group of this.#world.targetGroups.values())
      for (const { id, port } of group.listed(now)) this.#add(group.arn, { id, port });
    for (const classic of this.#world.classics.values())
      for (const id of classic.registered(now)) this.#add(classic.name, { id });
  }

  #add(pool: string, target: Recorded): void {
    const targets = this.#targets.get(pool) ?? new Map<string, Recorded>();
    this.#targets.set(pool, targets.set(nameOf(target), target));
  }
}
