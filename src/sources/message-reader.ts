import { nodeReference } from "../drain/request.ts";
import type { Announcement, EventReading } from "./announcement.ts";
import { actAt, isRebootOver } from "./notice.ts";

/** What a message asks for. */
export type MessageReading =
  | { readonly asks: "drains"; readonly announcements: readonly Announcement[]; readonly problems: readonly string[] }
  /** The same, but not before `at`, in milliseconds since the epoch. */
  | { readonly asks: "later"; readonly announcements: readonly Announcement[]; readonly at: number }
  /** `what` the message is instead, for the log. */
  | { readonly asks: "nothing"; readonly what: string }
  | { readonly asks: "unknown"; readonly problem: string };

export interface ReadMessageOptions {
  readonly read: (body: string) => EventReading;
  /** Whether a recommendation alone starts a drain. */
  readonly heedsRecommendations: boolean;
  /** How long before the scheduled maintenance its nodes are drained, in milliseconds. */
  readonly maintenanceLeadMs: number;
  /** In milliseconds since the epoch. */
  readonly now: number;
}

/** Reads a message. A message that can't be read, for any reason, is malformed. Never throws. */
export function readMessage(
  body: string,
  { read, heedsRecommendations, maintenanceLeadMs, now }: ReadMessageOptions,
): MessageReading {
  try {
    const reading = read(body);
    if (reading.reading === "malformed") return { asks: "unknown", problem: reading.problem };
    if (reading.reading === "nothing-asked") return { asks: "nothing", what: reading.what };
    const announcements = reading.announcements
      .filter((one) => (heedsRecommendations || !one.isVoluntary) && !isRebootOver(one, now))
      .map((one) => overdue(one, now));
    const [first] = reading.announcements;
    if (announcements.length === 0) return { asks: "nothing", what: first?.reason ?? "no instance" };
    for (const { instanceId } of announcements) nodeReference("id", instanceId);
    const at = Math.min(...announcements.map((one) => actAt(one, maintenanceLeadMs)));
    if (at > now) return { asks: "later", announcements, at };
    return { asks: "drains", announcements, problems: reading.problems ?? [] };
  } catch (error) {
    return { asks: "unknown", problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * A machine that should have stopped by now has stopped, or is still going to: the drain depends on whether it runs.
 */
function overdue(one: Announcement, now: number): Announcement {
  const { kind, deadline, reboots } = one;
  const isOverdue = kind === "scheduled-change" && reboots !== true && deadline !== undefined && deadline <= now;
  return isOverdue ? { ...one, holdsWhile: "runs" } : one;
}

/**
 * As `read`, without the lifecycle actions of hooks with other names than `hookName`. A group may have hooks of other
 * programs, which complete them themselves. The machine leaves all the same. Absent: every hook is completed.
 */
export function withHooksNamed(
  hookName: string | undefined,
  read: (body: string) => EventReading,
): (body: string) => EventReading {
  if (hookName === undefined) return read;
  return (body) => {
    const reading = read(body);
    if (reading.reading !== "announced") return reading;
    const announcements = reading.announcements.map(({ lifecycleAction, ...announcement }) =>
      lifecycleAction?.hookName === hookName ? { ...announcement, lifecycleAction } : announcement,
    );
    return { ...reading, announcements };
  };
}
