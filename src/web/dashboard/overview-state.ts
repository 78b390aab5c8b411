import type { Changes, LiveDrain, Overview } from "./reports.ts";

/** As many as the service keeps. */
const DECISIONS_MAX = 50;

/** What was received and is shown. */
export interface OverviewState {
  readonly overview: Overview;
  /** How far the service's clock is ahead of the browser's, in milliseconds. */
  readonly aheadMs: number;
}

/** The state after everything was received. `receivedAt`: in milliseconds since the epoch, by the browser's clock. */
export function startedWith(overview: Overview, receivedAt: number): OverviewState {
  return { overview, aheadMs: Date.parse(overview.at) - receivedAt };
}

/** Applies an event to what was known before it. An event may be applied twice. */
export function changedBy({ overview }: OverviewState, changes: Changes, receivedAt: number): OverviewState {
  const { over, running, decisions, ...rest } = changes;
  const drains = new Map<string, LiveDrain>(overview.running.map((drain) => [drain.drainId, drain]));
  for (const drain of running) drains.set(drain.drainId, drain);
  for (const id of over) drains.delete(id);
  const last = overview.decisions[0]?.n ?? 0;
  const isNew = decisions.filter(({ n }) => n > last);
  return startedWith(
    { ...rest, running: [...drains.values()], decisions: [...isNew, ...overview.decisions].slice(0, DECISIONS_MAX) },
    receivedAt,
  );
}
