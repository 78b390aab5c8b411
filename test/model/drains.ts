import { keyOf, type Registration } from "../../src/drain/cloud-provider.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import type { AskedRequest } from "../../src/drain/request.ts";
import type { Change } from "./call-log.ts";
import type { WorldTarget } from "./world.ts";

/** What was seen of one drain. Moments are milliseconds since the epoch. */
export interface SeenDrain {
  readonly id: string;
  readonly node: string;
  /** The process that has begun it, or has taken it up last, and when. */
  life: number;
  since: number;
  /** Its process lives, and it has not ended. */
  isRunning: boolean;
  /** When it has ended last. */
  endedAt?: number;
  readonly requests: AskedRequest[];
  /** What it has asked the cloud to deregister: when last, and in which life first. */
  readonly asked: Map<WorldTarget, { readonly life: number; at: number }>;
  /** The cloud has accepted a deregistration; in an earlier life than this one. */
  hasAccepted: boolean;
  isBegun: boolean;
  readonly found: Map<string, Registration>;
  /** When it was cancelled first, and last. */
  cancelledAt?: number;
  /** When an undo was last told to have ended; absent while one runs. */
  undoneAt?: number | undefined;
}

/** Every drain of a case, put together from the ledger's entries and the events. */
export class Drains {
  readonly all = new Map<string, SeenDrain>();

  entered(entry: LedgerEntry): void {
    const drain = this.all.get(entry.drain);
    if (drain === undefined) return;
    if (entry.type === "accepted" || entry.type === "joined") drain.requests.push(entry.request);
    if (entry.type === "deregistered") drain.hasAccepted = true;
    if (entry.type === "cancelled") {
      drain.cancelledAt ??= entry.at;
      drain.undoneAt = undefined;
    }
    if (entry.type !== "found") return;
    for (const registration of entry.registrations) drain.found.set(keyOf(registration), registration);
  }

  heard(event: DrainEvent, at: number, life: number): void {
    const { drainId: id, node } = event;
    const known = this.all.get(id);
    if (event.type === "accepted")
      this.all.set(id, {
        ...{ id, node: node.id, life, since: at, isRunning: true, hasAccepted: false, isBegun: false },
        ...{ requests: [], asked: new Map(), found: new Map() },
      });
    if (known === undefined) return;
    if (event.type === "resumed")
      Object.assign(known, { life, since: at, isRunning: true, isBegun: known.hasAccepted });
    if (event.type === "ended") Object.assign(known, { isRunning: false, endedAt: at });
    if (event.type === "undone") known.undoneAt = at;
  }

  /** Its process has ended. */
  died(): void {
    for (const drain of this.all.values()) drain.isRunning = false;
  }

  running(): readonly SeenDrain[] {
    return [...this.all.values()].filter(({ isRunning }) => isRunning);
  }

  runningOf(node: string): SeenDrain | undefined {
    return this.running().find((drain) => drain.node === node);
  }

  asks(change: Change, life: number, at: number): void {
    if (change.drain === undefined) return;
    const { asked } = this.all.get(change.drain) as SeenDrain;
    asked.set(change.target, { life: asked.get(change.target)?.life ?? life, at });
  }
}

/** Everybody who has asked for it can be told no, and nobody has asked to be let alone. */
export function isRefusable({ requests }: SeenDrain): boolean {
  return requests.length > 0 && requests.every(({ isVoluntary, force }) => isVoluntary === true && force !== true);
}
