import type { Clock } from "../drain/clock.ts";
import type { ConnectionReport, CountedPort, CountingOrder } from "../drain/early-release.ts";
import type { Count } from "./connection-counter.ts";

/** After a failure, the report of a node that drains is missing, and nothing is proven by the reports before it. */
const RETRY_MS = 5_000;

export interface ReportingOptions {
  readonly clock: Clock;
  /** Throws if the node's connections can't be counted. */
  readonly count: (ports: readonly CountedPort[]) => Promise<Count>;
  /** Sends a report, and returns what to do next. */
  readonly exchange: (report: ConnectionReport, signal: AbortSignal) => Promise<CountingOrder>;
  /** Called when the node begins or ends to drain, with the tables that are counted. */
  readonly onCounting: (count: Count | undefined) => void;
  readonly onFailure: (what: "count" | "report", error: Error) => void;
}

/** Reports what the service asks for, one count after the other, until `stop` aborts. Never rejects. */
export async function reportConnections(options: ReportingOptions, stop: AbortSignal): Promise<void> {
  const { clock, exchange, onFailure } = options;
  let order: CountingOrder | undefined;
  while (!stop.aborted) {
    const report = await reportOn(order, options);
    try {
      order = await exchange(report, stop);
    } catch (error) {
      if (stop.aborted) return;
      order = undefined;
      onFailure("report", error as Error);
    }
    // A count must be made after the order that asks for it.
    await clock.sleep(order?.afterMs ?? RETRY_MS, stop).catch(() => {});
  }
}

async function reportOn(
  order: CountingOrder | undefined,
  { count, onCounting, onFailure }: ReportingOptions,
): Promise<ConnectionReport> {
  const nothing = { tables: [], ports: [], ...(order && { turn: order.turn }) };
  if (order === undefined || order.ports.length === 0) {
    if (order !== undefined) onCounting(undefined);
    return nothing;
  }
  try {
    const counted = await count(order.ports);
    onCounting(counted);
    return { ...nothing, ...counted };
  } catch (error) {
    onFailure("count", error as Error);
    return nothing;
  }
}
