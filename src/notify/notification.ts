import type { DrainOutcome, RegistrationResult } from "../drain/outcome.ts";

/** From the least to the most serious. */
export const LEVELS = ["info", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

/**
 * - `started`: a drain has begun.
 * - `stuck`: a drain has made no progress for a while, and again once an hour as long as it makes none.
 * - `refused`: the guard has refused a drain.
 * - `failed`: a drain has ended, and load balancers may still send traffic to the node.
 * - `done`: a drain has ended as it should, or was cancelled.
 */
export const NOTIFICATION_EVENTS = ["started", "stuck", "refused", "failed", "done"] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];

/** One target of a drain. */
interface NotifiedTarget {
  readonly kind: string;
  readonly loadBalancer?: string;
  readonly pool: string;
  readonly place?: string;
  readonly target: string;
  readonly state: RegistrationResult["state"];
  readonly error?: string;
}

/** What people are notified of. */
export interface Notification {
  /** Unique. A receiver that gets the same id twice has got one notification. */
  readonly id: string;
  readonly event: NotificationEvent;
  readonly level: Level;
  /** In milliseconds since the epoch. */
  readonly at: number;
  /** Absent if the request ended before its node was found. */
  readonly drain?: string;
  /** The instance id, or the name in the request if the node was not found; and the node's name, if it is known. */
  readonly node: { readonly id: string; readonly name?: string };
  readonly cluster?: string;
  /** Why the node is drained, in the words of the first request. */
  readonly reason?: string;
  /** Absent while the drain runs. */
  readonly result?: DrainOutcome["status"];
  /** From the first request to the end, in milliseconds. */
  readonly tookMs?: number;
  /** One line. */
  readonly title: string;
  /** What happened, and what to do about it, in sentences. */
  readonly text: string;
  /** At most `TARGETS_MAX`, those that have not been released first. */
  readonly targets: readonly NotifiedTarget[];
  /** The number of further targets. */
  readonly targetsLeftOut: number;
  /** Earlier notifications about this node that do not apply any more. */
  readonly resolves: readonly Resolved[];
}

export interface Resolved {
  readonly event: NotificationEvent;
  readonly level: Level;
}

const TARGETS_MAX = 50;

export function notifiedTargets(
  results: readonly RegistrationResult[],
): Pick<Notification, "targets" | "targetsLeftOut"> {
  const urgentFirst = [
    ...results.filter(({ state }) => state !== "released"),
    ...results.filter(({ state }) => state === "released"),
  ];
  const targets = urgentFirst.slice(0, TARGETS_MAX).map(({ registration: { pool, target }, state, error }) => ({
    kind: pool.kind,
    ...(pool.loadBalancer === undefined ? {} : { loadBalancer: pool.loadBalancer }),
    pool: pool.name,
    ...(pool.place === undefined ? {} : { place: pool.place }),
    target,
    state,
    ...(error === undefined ? {} : { error: error.message }),
  }));
  return { targets, targetsLeftOut: results.length - targets.length };
}
