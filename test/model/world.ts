import type { RegistrationState } from "../../src/drain/cloud-provider.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import type { LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";

/** What there is when a case begins. Members are numbers of nodes; what is beyond the last counts from the first again. */
export interface WorldSpec {
  readonly nodes: number;
  readonly pools: readonly PoolSpec[];
  /** How long calls are on their way, one after the other, in milliseconds; then again from the first. */
  readonly latenciesMs: readonly number[];
  readonly targetsPerCallMax: number;
  /** Whether a node that was found is remembered for a while. */
  readonly recalls: boolean;
  /** How old what a search tells first is. 0: nothing is remembered. */
  readonly indexAgeMs: number;
  /** Absent: pools may be left without healthy targets. */
  readonly guard?: GuardOptions | undefined;
  /** Of the nodes, one after the other, then again from the first. Undefined: nobody knows its zone. */
  readonly zones: readonly (string | undefined)[];
}

export interface PoolSpec {
  readonly kind: LoadBalancerKind;
  readonly delayMs: number;
  /** For how long a target is listed as `initial`. */
  readonly initialMs: number;
  /** For how much longer than the delay it is listed as draining. Below 0: for how much shorter, if it is a classic one. */
  readonly listedMs: number;
  readonly byAddress: boolean;
  readonly ports: number;
  readonly members: readonly number[];
  /** The configured discovery leaves it out. */
  readonly isElsewhere: boolean;
  /** Each zone of its load balancer sends to its own targets alone. */
  readonly isZonal: boolean;
}

/** When a target was registered, and when that ended. */
interface Stretch {
  readonly from: number;
  to?: number;
  /** The drain that has ended it. Absent: somebody else has, or nobody. */
  endedBy?: string;
}

/** A target as the cloud lists it. */
export interface Shown {
  readonly state: RegistrationState;
  /** The registration that it is, or was last. */
  readonly stretch?: Stretch;
}

export interface WorldNode {
  readonly id: string;
  terminatedAt?: number;
}

export interface WorldTarget {
  readonly pool: WorldPool;
  /** As the cloud names it. */
  readonly name: string;
  /** The instance id or the address that it was registered by. */
  readonly registeredBy: string;
  readonly stretches: Stretch[];
  /** When it has passed or failed its health checks, from the beginning. */
  readonly health: { readonly from: number; readonly isHealthy: boolean }[];
}

export interface WorldPool extends PoolSpec {
  readonly id: string;
  readonly targets: Map<string, WorldTarget>;
  vanishedAt?: number;
}

const FIRST_PORT = 30080;
const LONG_AGO = Number.NEGATIVE_INFINITY;

/**
 * What is true, at any moment until now: who is registered where, whose each address is, what has vanished. Knows
 * nothing of drains. Moments are milliseconds since the epoch.
 */
export class World {
  readonly nodes: readonly WorldNode[];
  readonly pools: readonly WorldPool[];
  readonly #addresses = new Map<string, { readonly from: number; readonly node: WorldNode }[]>();
  /** Of ids and addresses. An address stays in its zone. */
  readonly #zones = new Map<string, string | undefined>();

  constructor(spec: WorldSpec) {
    this.nodes = Array.from({ length: spec.nodes }, (_, number) => ({ id: `i-${number}` }));
    for (const [number, node] of this.nodes.entries()) {
      const addresses = [1, 2].map((last) => `10.0.${number}.${last}`);
      for (const address of addresses) this.#addresses.set(address, [{ from: LONG_AGO, node }]);
      for (const one of [node.id, ...addresses]) this.#zones.set(one, spec.zones[number % spec.zones.length]);
    }
    this.pools = spec.pools.map((pool, number) => ({ ...pool, id: `pool/${number}`, targets: new Map() }));
    for (const pool of this.pools)
      for (const member of new Set(pool.members.map((number) => number % spec.nodes)))
        for (let port = 0; port < pool.ports; port++) this.register(pool, this.node(member), port, LONG_AGO);
  }

  node(number: number): WorldNode {
    return this.nodes[number % this.nodes.length] as WorldNode;
  }

  pool(number: number): WorldPool {
    return this.pools[number % this.pools.length] as WorldPool;
  }

  poolOf(id: string): WorldPool {
    return this.pools.find((pool) => pool.id === id) as WorldPool;
  }

  nodeOf(id: string): WorldNode | undefined {
    return this.nodes.find((node) => node.id === id);
  }

  addressesOf(node: WorldNode, at: number): readonly string[] {
    return [...this.#addresses.keys()].filter((address) => this.holderOf(address, at) === node);
  }

  holderOf(address: string, at: number): WorldNode | undefined {
    return this.#addresses.get(address)?.findLast(({ from }) => from <= at)?.node;
  }

  ownerOf({ registeredBy }: WorldTarget, at: number): WorldNode | undefined {
    return this.nodeOf(registeredBy) ?? this.holderOf(registeredBy, at);
  }

  /** The targets of a pool that are the node's. */
  targetsOf(pool: WorldPool, node: WorldNode, at: number): readonly WorldTarget[] {
    return [...pool.targets.values()].filter((target) => this.ownerOf(target, at) === node);
  }

  register(pool: WorldPool, node: WorldNode, port: number, now: number): void {
    if (pool.vanishedAt !== undefined || node.terminatedAt !== undefined) return;
    const registeredBy = pool.byAddress ? (this.addressesOf(node, now)[port] ?? "") : node.id;
    if (registeredBy === "") return;
    const name = `${registeredBy}:${FIRST_PORT + (port % pool.ports)}`;
    const target = pool.targets.get(name) ?? { pool, name, registeredBy, stretches: [], health: [] };
    pool.targets.set(name, target);
    this.registerAgain(target, now);
  }

  registerAgain(target: WorldTarget, now: number): void {
    const last = target.stretches.at(-1);
    if (last === undefined || last.to !== undefined) target.stretches.push({ from: now });
  }

  /** `drain`: on whose behalf. Absent: somebody else does it. */
  deregister(target: WorldTarget, now: number, drain?: string): void {
    const last = target.stretches.at(-1);
    if (last === undefined || last.to !== undefined) return;
    last.to = now;
    if (drain !== undefined) last.endedBy = drain;
  }

  /** From now on it passes its health checks, or fails them. */
  fares(target: WorldTarget, isHealthy: boolean, now: number): void {
    target.health.push({ from: now, isHealthy });
  }

  isHealthy(target: WorldTarget, at: number): boolean {
    const passes = target.health.findLast(({ from }) => from <= at)?.isHealthy ?? true;
    return passes && this.shown(target, at).state === "live";
  }

  zoneOf({ registeredBy }: WorldTarget): string | undefined {
    return this.#zones.get(registeredBy);
  }

  vanish(pool: WorldPool, now: number): void {
    pool.vanishedAt ??= now;
  }

  terminate(node: WorldNode, now: number): void {
    node.terminatedAt ??= now;
  }

  /** The last address of one node is another's from now on. */
  move(from: WorldNode, to: WorldNode, now: number): void {
    const address = this.addressesOf(from, now).at(-1);
    if (address !== undefined && from !== to) this.#addresses.get(address)?.push({ from: now, node: to });
  }

  shown({ pool, stretches }: WorldTarget, at: number): Shown {
    const stretch = stretches.findLast(({ from }) => from <= at);
    if (stretch === undefined || (pool.vanishedAt ?? Number.POSITIVE_INFINITY) <= at) return { state: "absent" };
    const { from, to = Number.POSITIVE_INFINITY } = stretch;
    if (at < to) return { state: at < from + pool.initialMs ? "initial" : "live", stretch };
    const isDraining = at < to + Math.max(0, pool.delayMs + pool.listedMs);
    return { state: isDraining ? "draining" : "absent", stretch };
  }

  isLive(target: WorldTarget, at: number): boolean {
    return isRegistered(this.shown(target, at));
  }

  /** When the node's registration ended that was shown at that moment; undefined while it has not. */
  goneAt(
    target: WorldTarget,
    node: WorldNode,
    { stretch, shownAt }: Shown & { readonly shownAt: number },
  ): number | undefined {
    const moves = this.#addresses.get(target.registeredBy) ?? [];
    const moved = moves.find((move) => move.from > shownAt && move.node !== node)?.from;
    const ends = [stretch?.to, moved, target.pool.vanishedAt, node.terminatedAt].filter((at) => at !== undefined);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }
}

export function isRegistered({ state }: Shown): boolean {
  return state === "live" || state === "initial";
}
