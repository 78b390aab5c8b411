import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Node, Registration } from "../../src/drain/cloud-provider.ts";
import type { LedgerEntry, LedgerStep } from "../../src/drain/ledger.ts";
import type { VirtualClock } from "../../src/simulator/clock.ts";

const LEDGER_NODE: Node = {
  id: "i-0123456789abcdef0",
  name: "ip-10-0-0-1.internal",
  network: "vpc-1",
  addresses: ["10.0.0.1"],
  addressPrefixes: [],
};

export function registered(target: string): Registration {
  const pool = { kind: "alb", id: "arn:web", name: "web", loadBalancer: "web-lb" } as const;
  return { pool, target, state: "live", detail: "healthy", isHealthy: true };
}

/** One drain's entries, each with the next number. */
export class EntriesOf {
  readonly #drain: string;
  readonly #startedAt: number;
  readonly #node: Node;
  #n = 0;

  constructor(drain: string, startedAt = 1_000, nodeId = LEDGER_NODE.id) {
    this.#drain = drain;
    this.#startedAt = startedAt;
    this.#node = { ...LEDGER_NODE, id: nodeId };
  }

  next(step: LedgerStep): LedgerEntry {
    this.#n += 1;
    return { drain: this.#drain, n: this.#n, at: this.#startedAt + this.#n, ...step };
  }

  accepted(reason?: string): LedgerEntry {
    const request = { askedAt: this.#startedAt, ...(reason === undefined ? {} : { reason }) };
    return this.next({ type: "accepted", node: this.#node, startedAt: this.#startedAt, request });
  }

  found(...targets: readonly string[]): LedgerEntry {
    return this.next({ type: "found", first: 0, registrations: targets.map(registered), elsewhere: [] });
  }

  deregistered(...of: readonly number[]): LedgerEntry {
    return this.next({ type: "deregistered", of });
  }

  ended(): LedgerEntry {
    return this.next({ type: "ended", outcome: { status: "drained", registrations: [] } });
  }

  /** A drain from its beginning to its end. */
  whole(): readonly LedgerEntry[] {
    return [
      this.accepted(),
      this.found("i-1:80"),
      this.deregistered(0),
      this.next({ type: "released", of: [0] }),
      this.ended(),
    ];
  }
}

/** Closes a ledger at the end of the test, whether its disk works or hangs, before its folder goes. */
export function closeAtEnd(clock: VirtualClock, close: () => Promise<void>, before: () => void = () => {}): void {
  onTestFinished(() => {
    before();
    const closed = close();
    // Virtual time does not know of the disk's.
    return clock.run(closed).catch(() => closed);
  });
}

/** A folder for the length of a test. */
export async function stateDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "state-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
