import type { Announcement } from "./announcement.ts";

/**
 * Room to find the node and to deregister it, which is the first thing that a drain does. A process that hears of a departure
 * late, or of one for a time long past, still begins; EC2 says when the machine has gone.
 */
const NOTICE_MIN_MS = 30_000;

/**
 * When an announcement is to be acted upon, in milliseconds since the epoch. What AWS schedules is announced days to weeks
 * ahead: drained at once, the machine would be without work for as long.
 */
export function actAt({ kind, deadline }: Pick<Announcement, "kind" | "deadline">, leadMs: number): number {
  return kind === "scheduled-change" && deadline !== undefined ? deadline - leadMs : Number.NEGATIVE_INFINITY;
}

/**
 * Whether AWS has booted the machine again by now as it had announced: it would be out for nothing, and for good. Stops
 * and retirements that are overdue are still to come, as long as the machine runs.
 */
export function isRebootOver({ reboots, deadline }: Pick<Announcement, "reboots" | "deadline">, now: number): boolean {
  return reboots === true && deadline !== undefined && isSpared(deadline, now);
}

/** A machine that still runs so long after its deadline was spared: it is unknown when it terminates now. */
const SPARED_MS = 300_000;

/** The machine should have gone long ago. */
function isSpared(deadline: number, now: number): boolean {
  return deadline <= now - SPARED_MS;
}

/**
 * The deadline to drain by of what was received at `receivedAt`: the earliest of `deadlines`, but never so early that
 * nothing could be begun. All by one clock, in milliseconds since the epoch. Undefined where there is none, or only some
 * that are long past.
 */
export function boundedDeadline(deadlines: readonly (number | undefined)[], receivedAt: number): number | undefined {
  const given = deadlines.filter((at) => at !== undefined && !isSpared(at, receivedAt)) as readonly number[];
  return given.length === 0 ? undefined : Math.max(receivedAt + NOTICE_MIN_MS, Math.min(...given));
}
