import { RequestQuota } from "../src/aws/request-quota.ts";
import { SharedCall } from "../src/aws/shared-call.ts";
import { newAbort } from "../src/drain/abort.ts";
import { VirtualClock } from "../src/simulator/clock.ts";

/** How many nodes wait, each with a call of its own, all the time. */
const NODES = [10, 30, 100, 300, 1_000];
/** What a node's call is for: so many callers share it. */
const CALLERS_PER_CALL = 10;
/** Of each number of nodes. */
const PERMITS = 5_000;
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
  await quotaRow(NODES[0] ?? 1, PERMITS);
  const rows: QuotaRow[] = [];
  for (const nodes of NODES) rows.push(await quotaRow(nodes, PERMITS));
  return rows;
}

/**
 * With so many permits, after one for each node: a node whose call is let through asks again at once. So as many wait at the last
 * permit as at the first, and what differs between rows is the choice alone.
 */
export async function quotaRow(nodes: number, permits: number): Promise<QuotaRow> {
  const clock = new VirtualClock();
  const quota = new RequestQuota({ clock, share: 1 });
  const { signal } = newAbort();
  let asked = 0;
  let through = 0;
  let begun = { asked: 0, cpu: process.cpuUsage() };
  let spent = { asked: 0, micros: 0 };
  const letThrough = () => {
    through += 1;
    if (through === nodes) begun = { asked, cpu: process.cpuUsage() };
    if (through !== nodes + permits) return;
    const { user, system } = process.cpuUsage(begun.cpu);
    spent = { asked: asked - begun.asked, micros: user + system };
  };
  const node = async (place: number) => {
    const call = new SharedCall<undefined, void>((_sent, by) => quota.permit(BUCKET, by));
    while (through < nodes + permits) {
      // Not in the order in which they come, and none waits for ever.
      const deadline = through + ((place * 7) % nodes);
      const urgency = () => {
        asked += 1;
        return { purpose: "find", deadline } as const;
      };
      await Promise.all(Array.from({ length: CALLERS_PER_CALL }, () => call.ask(undefined, { urgency, signal })));
      letThrough();
    }
  };
  await clock.run(Promise.all(Array.from({ length: nodes }, (_, place) => node(place))));
  return { nodes, askedPerCall: spent.asked / permits, cpuMicrosPerCall: spent.micros / permits };
}

export function quotaTable(rows: readonly QuotaRow[]): string {
  return [
    "| nodes that wait | callers asked per call | CPU per call, µs |",
    "|--:|--:|--:|",
    ...rows.map((row) => `| ${row.nodes} | ${row.askedPerCall.toFixed(1)} | ${row.cpuMicrosPerCall.toFixed(0)} |`),
  ].join("\n");
}
