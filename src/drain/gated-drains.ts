import type { Clock } from "./clock.ts";
import type { DrainEvent } from "./events.ts";
import type { DrainOutcome, RunningDrain } from "./outcome.ts";

/**
 * A drain that begins within this time after another drain of its node has ended belongs to the same departure, if the
 * node still leaves.
 */
const SAME_DEPARTURE_MS = 900_000;
/** Far more nodes than leave at the same time. */
const NODES_MAX = 5_000;

interface Known {
  readonly drainId: string;
  /** An earlier drain of the same departure has allowed the evictions, or this one evicts pods itself. */
  readonly isOpen: boolean;
  /** Targets that an earlier try has deregistered may get traffic until then, in milliseconds since the epoch. */
  readonly earlierUntil?: number;
  readonly ended?: { readonly at: number; readonly status: DrainOutcome["status"] };
}

export interface GatedDrainsOptions {
  readonly clock: Clock;
  readonly running: (drainId: string) => RunningDrain | undefined;
}

/** The state of the drain of a node, for evictions of its pods. Times are milliseconds since the epoch. */
export type GatedDrain =
  /** It has ended, has evicted pods itself, or no load balancer sends traffic to the node any more. */
  | { readonly isOpen: true; readonly drainId: string }
  | {
      readonly isOpen: false;
      readonly drainId: string;
      /** Until when load balancers may send traffic to the node. `Infinity`: not known yet. */
      readonly until: number;
      /** When the drain ends because the machine may go. Absent: the machine has no deadline. */
      readonly deadlineAt?: number;
    };

/** The running drains, and the last drain of each node, from their events. */
export class GatedDrains {
  readonly #options: GatedDrainsOptions;
  /** By the node's id, in the order of their last events. */
  readonly #known = new Map<string, Known>();

  constructor(options: GatedDrainsOptions) {
    this.#options = options;
  }

  /** The drain of the node with this id. Undefined: it has none, or none recently. */
  of(id: string): GatedDrain | undefined {
    const { clock, running } = this.#options;
    const known = this.#known.get(id);
    if (known === undefined || (known.ended !== undefined && !this.#isRecent(known.ended))) return undefined;
    const { drainId, isOpen, earlierUntil = 0 } = known;
    const drain = running(drainId);
    if (isOpen || drain === undefined) return { isOpen: true, drainId };
    const until = Math.max(drain.sendsUntil ?? 0, earlierUntil);
    if (drain.sendsUntil === undefined && until <= clock.now()) return { isOpen: true, drainId };
    const { limit } = drain;
    return { isOpen: false, drainId, until, ...(limit?.reason === "deadline" && { deadlineAt: limit.at }) };
  }

  /** The node still leaves after its drain has ended. */
  leavesStill(id: string): void {
    const known = this.#known.get(id);
    if (known?.ended !== undefined)
      this.#put(id, { ...known, ended: { ...known.ended, at: this.#options.clock.now() } });
  }

  /** Records what happens in drains. */
  note(event: DrainEvent): void {
    const { id } = event.node;
    const known = this.#known.get(id);
    switch (event.type) {
      case "accepted":
      case "resumed":
        this.#put(id, { drainId: event.drainId, isOpen: known !== undefined && this.#hasPassed(known) });
        return;
      case "undoing":
      case "undone":
        // The node stays, so that its next departure is another one.
        this.#known.delete(id);
        return;
      default:
        if (known?.drainId === event.drainId) this.#noteOf(known, id, event);
    }
  }

  #noteOf(known: Known, id: string, event: DrainEvent): void {
    if (event.type === "evicting") this.#put(id, { ...known, isOpen: true });
    if (event.type === "awaiting-earlier-try") this.#put(id, { ...known, earlierUntil: event.until });
    if (event.type !== "ended") return;
    const { status } = event.outcome;
    if (status === "superseded" || status === "cancelled") this.#known.delete(id);
    else this.#put(id, { ...known, ended: { at: this.#options.clock.now(), status } });
  }

  /** A refused drain has changed nothing. */
  #hasPassed({ isOpen, ended }: Known): boolean {
    if (ended === undefined) return isOpen;
    return ended.status !== "refused" && this.#isRecent(ended);
  }

  #isRecent({ at }: { readonly at: number }): boolean {
    return this.#options.clock.now() - at < SAME_DEPARTURE_MS;
  }

  #put(id: string, known: Known): void {
    this.#known.delete(id);
    this.#known.set(id, known);
    if (this.#known.size <= NODES_MAX) return;
    for (const [oldest, { ended }] of this.#known) {
      if (ended === undefined) continue;
      this.#known.delete(oldest);
      return;
    }
  }
}
