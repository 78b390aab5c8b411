import type { Announcement } from "./announcement.ts";

/**
 * Time to find the node and to deregister it, which is the first thing that a drain does. A process that learns of a
 * departure late, or of one for a time long past, still begins. EC2 shows when the machine has gone.
 */
const NOTICE_MIN_MS = 30_000;

/**
 * When to act on an announcement, in milliseconds since the epoch. AWS announces scheduled maintenance days to weeks
 * ahead. A machine that was drained at once would be idle for that time.
 */
export function actAt({ kind, deadline }: Pick<Announcement, "kind" | "deadline">, leadMs: number): number {
  return kind === "scheduled-change" && deadline !== undefined ? deadline - leadMs : Number.NEGATIVE_INFINITY;
}

/**
 * Whether AWS has rebooted the machine already, as announced. A drain would then be useless, and permanent. Overdue
 * stops and retirements are still to come, as long as the machine runs.
 */
export function isRebootOver({ reboots, deadline }: Pick<Announcement, "reboots" | "deadline">, now: number): boolean {
  return reboots === true && deadline !== undefined && isSpared(deadline, now);
}

/** A machine that still runs this long after its deadline was not terminated, and it is unknown when it will be. */
const SPARED_MS = 300_000;

/** The machine should have been terminated long ago. */
function isSpared(deadline: number, now: number): boolean {
  return deadline <= now - SPARED_MS;
}

/**
 * The deadline for a drain of what was received at `receivedAt`: the earliest of `deadlines`, but never so early that
 * nothing could begin. All by one clock, in milliseconds since the epoch. Undefined if there is none, or only some that
 * are long past.
 */
export function boundedDeadline(deadlines: readonly (number | undefined)[], receivedAt: number): number | undefined {
  const given = deadlines.filter((at) => at !== undefined && !isSpared(at, receivedAt)) as readonly number[];
  return given.length === 0 ? undefined : Math.max(receivedAt + NOTICE_MIN_MS, Math.min(...given));
}
