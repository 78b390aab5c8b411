import type { ElbCall } from "./purpose.ts";
import { nodeId, type RegionPlan } from "./region.ts";

/** The rules of ARCHITECTURE's table, by the truth that the simulator has: no request is in flight in any pool. */
const ALB_PROPAGATION_MS = 30_000;
const CLASSIC_MINIMUM_MS = 10_000;

/** Nodes that were asked for at the same moment. Times are milliseconds since the epoch. */
interface Wave {
  readonly askedAt: number;
  firstAt: number;
  lastAt: number;
}

interface DepartingNode {
  readonly wave: Wave;
  holdEndsAt: number;
}

/**
 * When each node left its pools, by AWS's own answers, and when its drain ended. It keeps little, for it counts into
 * the client's memory.
 */
export class Departures {
  readonly #plan: RegionPlan;
  readonly #waves: Wave[] = [];
  readonly #nodes = new Map<string, DepartingNode>();
  /** By pool: a byte a node, in the order in which the nodes began. 1: it has left. */
  readonly #departedFrom = new Map<string, Uint8Array>();
  readonly #order = new Map<string, number>();
  readonly #refused: string | undefined;
  readonly #failures = new Map<string, number>();
  #departed = 0;
  #ended = 0;
  #searchedAt = Number.NEGATIVE_INFINITY;
  #latestMs: number | undefined;

  constructor(plan: RegionPlan) {
    this.#plan = plan;
    this.#refused = plan.refusedNode === undefined ? undefined : nodeId(plan.refusedNode);
  }

  asked(nodes: readonly string[], at: number): void {
    const wave = { askedAt: at, firstAt: Number.POSITIVE_INFINITY, lastAt: Number.NEGATIVE_INFINITY };
    this.#waves.push(wave);
    for (const id of nodes) {
      this.#order.set(id, this.#nodes.size);
      this.#nodes.set(id, { wave, holdEndsAt: at });
    }
  }

  /** A search for registrations was answered. */
  searched(at: number): void {
    this.#searchedAt = at;
  }

  /** AWS has acknowledged a deregister call. What it acknowledges a second time counts once. */
  acknowledged({ api, pool, ids }: ElbCall, at: number): void {
    const left = this.#departedFrom.get(pool) ?? new Uint8Array(this.#plan.nodes);
    this.#departedFrom.set(pool, left);
    const holdMs =
      api === "classic" ? CLASSIC_MINIMUM_MS : Math.max(this.#plan.delaySeconds * 1_000, ALB_PROPAGATION_MS);
    for (const id of ids) {
      const node = this.#nodes.get(id);
      const order = this.#order.get(id);
      if (node === undefined || order === undefined || left[order] === 1) continue;
      left[order] = 1;
      this.#departed += 1;
      node.holdEndsAt = Math.max(node.holdEndsAt, at + holdMs);
      node.wave.firstAt = Math.min(node.wave.firstAt, at);
      node.wave.lastAt = Math.max(node.wave.lastAt, at);
    }
  }

  /** When the last of the node's holds may end, as far as it has been deregistered. */
  holdEndsAt(id: string): number {
    return this.#nodes.get(id)?.holdEndsAt ?? Number.NEGATIVE_INFINITY;
  }

  /** The drain of a node has ended as it should. */
  drained(id: string, at: number): void {
    this.#ended += 1;
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    this.#latestMs = Math.max(this.#latestMs ?? 0, at - Math.max(node.holdEndsAt, this.#searchedAt));
  }

  /** The drain of a node has ended in another way; `reason` in a word. */
  failed(reason: string): void {
    this.#ended += 1;
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
  }

  /** How many drains have failed, by their reasons. */
  get failures(): ReadonlyMap<string, number> {
    return this.#failures;
  }

  /** How many nodes are being drained. */
  get running(): number {
    return this.#nodes.size - this.#ended;
  }

  /** Registrations that nobody has ended, of those that AWS lets anybody end. */
  get remaining(): number {
    const { memberGroups, memberClassics, nodes } = this.#plan;
    return (memberGroups + memberClassics) * (nodes - (this.#refused === undefined ? 0 : 1)) - this.#departed;
  }

  /** From the requests to the first deregistration; of the slowest wave. Undefined when a wave has none. */
  get firstMs(): number | undefined {
    return finite(Math.max(...this.#waves.map(({ askedAt, firstAt }) => firstAt - askedAt)));
  }

  /** From the requests to the last deregistration; of the slowest wave. Undefined unless everything was deregistered. */
  get lastMs(): number | undefined {
    return this.remaining > 0
      ? undefined
      : finite(Math.max(...this.#waves.map(({ askedAt, lastAt }) => lastAt - askedAt)));
  }

  /** By how much the end of a drain came after what it had to wait for; of the latest. Undefined when none has drained. */
  get noticedLateMs(): number | undefined {
    return this.#latestMs;
  }
}

function finite(ms: number): number | undefined {
  return Number.isFinite(ms) ? ms : undefined;
}
