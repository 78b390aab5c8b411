import { RequestQuota } from "../src/aws/request-quota.ts";
import { SharedCall } from "../src/aws/shared-call.ts";
import { newAbort } from "../src/drain/abort.ts";
import { VirtualClock } from "../src/simulator/clock.ts";

/** How many nodes wait, each with a call of its own. */
const NODES = [10, 30, 100, 300, 1_000];
/** What a node's call is for: so many callers share it. */
const CALLERS_PER_CALL = 10;
/** Of each number of nodes, at least. */
const PERMITS_MIN = 5_000;
const BUCKET = "v2-read";

export interface QuotaRow {
  readonly nodes: number;
  /** How often the quota has asked a caller how urgent it is, for each call that was let through. */
  readonly askedPerCall: number;
  /** Processor time for each call, from its wish until it was let through. */
  readonly cpuMicrosPerCall: number;
}

/** What the choice of the next call costs, against how many wait. */
export async function quotaRows(): Promise<readonly QuotaRow[]> {
  // The compiler has seen the code by then.
  await quotaRow(NODES[0] ?? 1, PERMITS_MIN);
  const rows: QuotaRow[] = [];
  for (const nodes of NODES) rows.push(await quotaRow(nodes, PERMITS_MIN));
  return rows;
}

/** With as many permits, at least. */
export async function quotaRow(nodes: number, permitsMin: number): Promise<QuotaRow> {
  const rounds = Math.ceil(permitsMin / nodes);
  let asked = 0;
  let cpuMicros = 0;
  for (let round = 0; round < rounds; round++) {
    const clock = new VirtualClock();
    const quota = new RequestQuota({ clock, share: 1 });
    const { signal } = newAbort();
    const begun = process.cpuUsage();
    const calls = Array.from({ length: nodes }, (_, node) => {
      const call = new SharedCall<undefined, void>((_sent, by) => quota.permit(BUCKET, by));
      const urgency = () => {
        asked += 1;
        return { purpose: "find", deadline: (node * 7) % nodes } as const;
      };
      return Array.from({ length: CALLERS_PER_CALL }, () => call.ask(undefined, { urgency, signal }));
    });
    await clock.run(Promise.all(calls.flat()));
    const { user, system } = process.cpuUsage(begun);
    cpuMicros += user + system;
  }
  const permits = rounds * nodes;
  return { nodes, askedPerCall: asked / permits, cpuMicrosPerCall: cpuMicros / permits };
}

export function quotaTable(rows: readonly QuotaRow[]): string {
  return [
    "| nodes that wait | callers asked per call | CPU per call, µs |",
    "|--:|--:|--:|",
    ...rows.map((row) => `| ${row.nodes} | ${row.askedPerCall.toFixed(1)} | ${row.cpuMicrosPerCall.toFixed(0)} |`),
  ].join("\n");
}
