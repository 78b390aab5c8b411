import type { LiveDrain, LiveRegistration, Overview } from "../../../src/web/dashboard/reports.ts";

/** Milliseconds since the epoch. */
export const NOW = Date.UTC(2026, 10, 30, 14, 0, 0);

export function momentAfter(seconds: number): string {
  return new Date(NOW + seconds * 1_000).toISOString();
}

/** A registration that has been held for a minute of five. */
export function registration(more: Partial<LiveRegistration> = {}): LiveRegistration {
  return {
    kind: "alb",
    loadBalancer: "web-lb",
    pool: "web",
    target: "i-1:80",
    state: "holding",
    heldSince: momentAfter(-60),
    holdSeconds: 300,
    newTrafficStopped: true,
    cameBack: 0,
    ...more,
  };
}

export function drain(
  id: string,
  registrations: readonly LiveRegistration[],
  more: Partial<LiveDrain> = {},
): LiveDrain {
  const counts: Partial<Record<LiveRegistration["state"], number>> = {};
  for (const { state } of registrations) counts[state] = (counts[state] ?? 0) + 1;
  return {
    drainId: id,
    node: { id: "i-1", name: `${id}.internal`, network: "vpc-1" },
    startedAt: momentAfter(-60),
    reasons: [],
    searched: true,
    counts,
    registrations: [...registrations],
    notes: [],
    ...more,
  };
}

export function overview(running: readonly LiveDrain[], more: Partial<Overview> = {}): Overview {
  return {
    at: momentAfter(0),
    version: "1.2.3",
    settings: { dryRun: false, undo: false, minHealthy: "1", maxVoluntary: "50%" },
    ready: { status: "ready", problems: [] },
    clouds: [],
    lookups: [],
    decisions: [],
    history: 0,
    running: [...running],
    ...more,
  };
}
