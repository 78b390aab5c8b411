import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import type { Clock } from "./clock.ts";
import { idOf, type Registration } from "./cloud-provider.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import type { NotEarly, TrafficEnd } from "./hold.ts";

/**
 * A table of the kernel that lists connections. `sockets`: those of processes. `conntrack`: those that netfilter
 * tracks.
 */
export type Table = "sockets" | "conntrack";

/** The port on a node to which a load balancer sends requests. */
export interface CountedPort {
  readonly port: number;
  /** Absent: the address of a target that is registered by its instance id. */
  readonly address?: string;
}

/** The TCP connections to one port. */
export interface PortCount extends CountedPort {
  readonly open: number;
  /**
   * Whether the tables list a connection from an address that is not the node's, open or closed. If so, they show the
   * traffic to this port.
   */
  readonly seen: boolean;
}

/** What the agent on a node has counted. */
export interface ConnectionReport {
  /** The `turn` of the order that the agent got before it counted. Absent: it had none. */
  readonly turn?: string;
  readonly tables: readonly Table[];
  readonly ports: readonly PortCount[];
}

/** What an agent has to count next. */
export interface CountingOrder {
  readonly isDraining: boolean;
  /** Empty: nothing has to be counted. */
  readonly ports: readonly CountedPort[];
  /** The agent sends it with its next report, which proves that the count was made after this order. */
  readonly turn: string;
  readonly afterMs: number;
}

/**
 * Between two reports of a node that does not drain: less than ALB_PROPAGATION, so that the whole settle time is
 * counted.
 */
const IDLE_INTERVAL_MS = 15_000;
const COUNTING_INTERVAL_MS = 1_000;
/** The same when many nodes drain at once. */
const BUSY_INTERVAL_MS = 5_000;
const BUSY_NODES_MIN = 64;
/** Reports that are further apart than this leave a time about which nothing is known. */
const GAP_MS_MAX = 12_000;
/** As many as fit into the body of a request. */
export const COUNTED_PORTS_MAX = 150;

/** The part of a drain that is used here. */
interface CountedDrain {
  readonly registrations: readonly DrainingRegistration[];
}

interface EarlyReleaseOptions {
  readonly clock: Clock;
  /** For how long there must be no connection, in milliseconds. */
  readonly settleMs: number;
  /** The running drains, by the ids of their nodes. */
  readonly runs: ReadonlyMap<string, CountedDrain>;
  /** Called for each registration whose traffic is proven to have ended. Its hold may end now. */
  readonly onProven: (draining: DrainingRegistration) => void;
}

/** Creates the instance for a drainer. */
export type EarlyReleaseFor = (drains: Omit<EarlyReleaseOptions, "settleMs">) => EarlyRelease;

/** What is known of one node whose drain runs. */
interface CountedNode {
  readonly turn: string;
  readonly orderedAt: number;
  /** The tables of its last report. Absent: the report was not a count, or did not continue the one before. */
  readonly tables: string | undefined;
  readonly proofs: ReadonlyMap<DrainingRegistration, Proof>;
}

/**
 * What consecutive reports without a gap have shown about one registration. Times are milliseconds since the epoch.
 */
interface Proof {
  /** When the hold began that this is about. */
  readonly since: number | undefined;
  readonly seen: boolean;
  /** From when on no report had an open connection. */
  readonly idleFrom?: number;
}

/**
 * One count. It was made after `orderedAt`, when the agent was asked for it, and before `at`, when its report arrived.
 */
interface Sample {
  readonly count: PortCount | undefined;
  readonly orderedAt: number;
  readonly at: number;
}

/**
 * Learns from agents on nodes when traffic has ended, so that holds need not last for the whole deregistration delay.
 * It uses only this process's clock, and does not end a hold in case of doubt: decisions/0058-early-release.md has the
 * rules.
 */
export class EarlyRelease {
  readonly #options: EarlyReleaseOptions;
  readonly #nodes = new WeakMap<CountedDrain, CountedNode>();

  constructor(options: EarlyReleaseOptions) {
    this.#options = options;
  }

  /** Takes the report of a node's agent, and returns what to count next. */
  report(nodeId: string, report: ConnectionReport): CountingOrder {
    const { clock, runs } = this.#options;
    const drain = runs.get(nodeId);
    const turn = randomBytes(6).toString("hex");
    if (drain === undefined) return { isDraining: false, ports: [], turn, afterMs: IDLE_INTERVAL_MS };
    const at = clock.now();
    const before = this.#nodes.get(drain);
    const counts = countsIn(report, before, at);
    const counted = drain.registrations.flatMap(withPort);
    const proofs = new Map<DrainingRegistration, Proof>();
    for (const [draining, port] of counted) {
      const sample = counts && { count: counts.get(keyOf(port)), orderedAt: before?.orderedAt ?? at, at };
      const proof = this.#proofOf(draining, before?.proofs.get(draining), sample);
      if (proof !== undefined) proofs.set(draining, proof);
    }
    const tables = counts === undefined ? undefined : tablesOf(report);
    this.#nodes.set(drain, { turn, orderedAt: at, tables, proofs });
    return { isDraining: true, ports: portsOf(counted), turn, afterMs: this.#intervalMs };
  }

  /**
   * Records in the registration what is proven now. Without a sample nothing is proven, whatever was proven before.
   */
  #proofOf(draining: DrainingRegistration, known: Proof | undefined, sample: Sample | undefined): Proof | undefined {
    const { settleMs, onProven } = this.#options;
    const { progress, terms } = draining;
    const from = progress && terms && progress.since + terms.newTrafficMs;
    const proof = sample && proofAfter(known, { since: progress?.since, from }, sample);
    const wasProven = progress?.trafficEnd !== undefined;
    draining.trafficCounted(proof && sample ? verdictOf(proof, sample, settleMs) : "not-counted");
    if (!wasProven && draining.progress?.trafficEnd !== undefined) onProven(draining);
    return proof;
  }

  get #intervalMs(): number {
    return this.#options.runs.size < BUSY_NODES_MIN ? COUNTING_INTERVAL_MS : BUSY_INTERVAL_MS;
  }
}

/** The counts, by port. Undefined: there is no count, or it came after a gap, or from other tables than before. */
function countsIn(
  report: ConnectionReport,
  before: CountedNode | undefined,
  at: number,
): ReadonlyMap<string, PortCount> | undefined {
  if (before === undefined || report.turn !== before.turn || at - before.orderedAt > GAP_MS_MAX) return undefined;
  const tables = tablesOf(report);
  if (tables === "" || tables !== (before.tables ?? tables)) return undefined;
  return new Map(report.ports.map((count) => [keyOf(count), count]));
}

function tablesOf({ tables }: ConnectionReport): string {
  return [...tables].sort().join(" ");
}

/**
 * What is known after one more sample. `from`: new requests may arrive until then, so that no earlier count proves
 * anything. The count was made between the order and the report, so the idle time begins at the later moment and ends
 * at the earlier one.
 */
function proofAfter(
  known: Proof | undefined,
  { since, from }: { readonly since: number | undefined; readonly from: number | undefined },
  { count, orderedAt, at }: Sample,
): Proof {
  const seen = known?.seen === true || count?.seen === true;
  if (count === undefined) return { since, seen: known?.seen === true };
  if (count.open > 0 || from === undefined || orderedAt < from) return { since, seen };
  return { since, seen, idleFrom: (known?.since === since ? known?.idleFrom : undefined) ?? at };
}

/** Whether that is sufficient, and what is missing. */
function verdictOf({ seen, idleFrom }: Proof, { count, orderedAt, at }: Sample, settleMs: number) {
  if (count === undefined) return "not-counted" satisfies NotEarly;
  if (count.open > 0) return "connections-open" satisfies NotEarly;
  if (!seen) return "never-seen" satisfies NotEarly;
  if (idleFrom === undefined || orderedAt - idleFrom < settleMs) return "not-long-enough" satisfies NotEarly;
  return { idleFrom, provenAt: at, seenAt: at } satisfies TrafficEnd;
}

function withPort(draining: DrainingRegistration): readonly (readonly [DrainingRegistration, CountedPort])[] {
  const isCounted = !draining.isOver && draining.terms?.endsWhenIdle === true;
  const port = isCounted ? portOf(draining.registration) : undefined;
  return port === undefined ? [] : [[draining, port]];
}

/** The port to which the load balancer sends. Undefined if the name of the registration does not contain it. */
export function portOf({ target }: Pick<Registration, "target">): CountedPort | undefined {
  const port = Number(/^(?:\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(target)?.[1]);
  if (!(port > 0 && port <= 65_535)) return undefined;
  const id = idOf(target);
  return isIP(id) === 0 ? { port } : { port, address: id };
}

/** Each port once. Ports beyond the limit are not counted, and are held for their whole time. */
function portsOf(counted: ReturnType<typeof withPort>): readonly CountedPort[] {
  const ports = new Map(counted.map(([, port]) => [keyOf(port), port]));
  return [...ports.values()].slice(0, COUNTED_PORTS_MAX);
}

function keyOf({ port, address = "" }: CountedPort): string {
  return `${address} ${port}`;
}
