import type { Clock } from "../../src/simulator/clock.ts";
import { Controller } from "../../src/simulator/controller.ts";
import type { ClassicLoadBalancer } from "../../src/simulator/world/classic-load-balancer.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { World } from "../../src/simulator/world/world.ts";

export const REGION = "eu-west-1";
const VPC = "vpc-0123456789abcdef0";
const PORT = 30_080;
/** Then they are given out again. */
const ADDRESSES = 500;
/** EC2 shows a terminated instance for about so long, and then knows it no more. */
const REMEMBERED_MS = 3_600_000;
const KINDS = ["alb", "ip", "nlb", "classic", "alb"] as const;

interface PoolOfFleet {
  readonly group?: TargetGroup;
  readonly loadBalancerArn?: string;
  readonly classic?: ClassicLoadBalancer;
}

export interface FleetOptions {
  readonly clock: Clock;
  readonly nodes: number;
  /** Deregistration delay and draining timeout. */
  readonly delaySeconds: number;
}

/** A cluster whose nodes and pools come and go, with controllers that register again what is missing. */
export class Fleet {
  readonly world: World;
  readonly #options: FleetOptions;
  readonly #pools: PoolOfFleet[] = [];
  /** What is there, but for nodes that are to go. */
  readonly #members = new Set<Instance>();
  readonly #gone: { readonly id: string; readonly at: number }[] = [];
  #nodes = 0;
  #made = 0;

  constructor(options: FleetOptions) {
    this.world = new World({ clock: options.clock, region: REGION });
    this.#options = options;
    for (let node = 0; node < options.nodes; node++) this.grow();
    for (let pool = 0; pool < KINDS.length; pool++) this.#addPool();
  }

  get members(): readonly Instance[] {
    return [...this.#members];
  }

  /** A node that is new to everybody, at an address that another one may have had. Registered everywhere, healthy. */
  grow(): void {
    this.#nodes += 1;
    const address = this.#nodes % ADDRESSES;
    const node = this.world.addInstance({
      id: `i-${this.#nodes.toString(16).padStart(17, "0")}`,
      vpcId: VPC,
      privateIp: `10.0.${address >> 8}.${address & 255}`,
      tags: { "kubernetes.io/cluster/soak": "owned" },
    });
    for (const pool of this.#pools) this.#register(pool, node);
    this.#members.add(node);
  }

  /** Nobody puts it into new pools from now on; controllers put it back until it is excluded. */
  leaves(node: Instance): void {
    this.#members.delete(node);
  }

  exclude(node: Instance): void {
    this.world.excluded.add(node.id);
  }

  /** Where AWS's own books have it registered, and not on its way out. */
  registeredIn({ id, privateIp }: Instance): readonly string[] {
    const now = this.world.clock.now();
    const isLive = (group: TargetGroup) =>
      group
        .listed(now)
        .some(
          (target) =>
            (target.id === id || target.id === privateIp) && group.apiHealth(target, now).state !== "draining",
        );
    return this.#pools.flatMap(({ group, classic }) => [
      ...(group !== undefined && isLive(group) ? [group.name] : []),
      ...(classic?.isRegistered(id) === true ? [classic.name] : []),
    ]);
  }

  /** The machine goes. Its addresses leave with it, and after a while its name. */
  terminate(node: Instance): void {
    const now = this.world.clock.now();
    this.world.terminateInstance(node);
    for (const { group } of this.#pools)
      if (group?.targetType === "ip") this.world.deregisterTarget(group, { id: node.privateIp });
    this.#gone.push({ id: node.id, at: now });
    while ((this.#gone[0]?.at ?? now) <= now - REMEMBERED_MS) {
      const { id } = this.#gone.shift() ?? { id: "" };
      this.world.instances.delete(id);
      this.world.excluded.delete(id);
    }
  }

  /** The oldest pool goes, and another one of its kind comes. */
  replaceOldestPool(): void {
    const { group, loadBalancerArn, classic } = this.#pools.shift() ?? {};
    if (loadBalancerArn !== undefined) this.world.loadBalancers.delete(loadBalancerArn);
    if (group !== undefined) this.world.targetGroups.delete(group.arn);
    if (classic !== undefined) this.world.classics.delete(classic.name);
    this.#addPool();
  }

  /** What controllers do every half a minute. */
  reconcile(): void {
    const nodes = [...this.world.instances.values()];
    const targetGroups = this.#pools.flatMap(({ group }) =>
      group === undefined ? [] : [{ group, targets: nodes.map((node) => ({ id: targetOf(group, node) })) }],
    );
    const classics = this.#pools.flatMap(({ classic }) =>
      classic === undefined ? [] : [{ loadBalancer: classic, instanceIds: nodes.map(({ id }) => id) }],
    );
    new Controller(this.world, { intervalMs: 0, targetGroups, classics }).reconcile();
  }

  #addPool(): void {
    const kind = KINDS[this.#made % KINDS.length] ?? "alb";
    this.#made += 1;
    const pool = kind === "classic" ? this.#newClassic() : this.#newGroup(kind);
    for (const node of this.#members) this.#register(pool, node);
    this.#pools.push(pool);
  }

  #newClassic(): PoolOfFleet {
    const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: PORT }];
    const classic = this.world.addClassic({ name: `classic-${this.#made}`, vpcId: VPC, listeners });
    classic.draining = { enabled: true, timeoutSeconds: this.#options.delaySeconds };
    return { classic };
  }

  #newGroup(kind: "alb" | "nlb" | "ip"): PoolOfFleet {
    const name = `${kind}-${this.#made}`;
    const protocol = kind === "nlb" ? "TCP" : "HTTP";
    const targetType = kind === "ip" ? "ip" : "instance";
    const group = this.world.addTargetGroup({ name, vpcId: VPC, protocol, port: PORT, targetType });
    group.attributes.set("deregistration_delay.timeout_seconds", String(this.#options.delaySeconds));
    const type = kind === "nlb" ? "network" : "application";
    const loadBalancer = this.world.addLoadBalancer({ name, type, vpcId: VPC });
    const defaultActions = [{ type: "forward" as const, groups: [{ arn: group.arn, weight: 1 }] }];
    this.world.addListener(loadBalancer, { protocol, port: 80, defaultActions });
    return { group, loadBalancerArn: loadBalancer.arn };
  }

  #register({ group, classic }: PoolOfFleet, node: Instance): void {
    if (group !== undefined) this.world.registerTarget(group, { id: targetOf(group, node) }, { settled: true });
    if (classic !== undefined) this.world.registerClassic(classic, node.id, { settled: true });
  }
}

function targetOf({ targetType }: TargetGroup, { id, privateIp }: Instance): string {
  return targetType === "ip" ? privateIp : id;
}
