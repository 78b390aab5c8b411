import { nodeReference } from "../drain/request.ts";
import type { Announcement, EventReading } from "./announcement.ts";
import { isSpared } from "./notice.ts";

/** What a message asks of us. */
export type MessageReading =
  | { readonly asks: "drains"; readonly announcements: readonly Announcement[] }
  /** `what` it is instead, for the log. */
  | { readonly asks: "nothing"; readonly what: string }
  | { readonly asks: "unknown"; readonly problem: string };

export interface ReadMessageOptions {
  readonly read: (body: string) => EventReading;
  /** A recommendation alone takes a node out. */
  readonly heedsRecommendations: boolean;
  /** In milliseconds since the epoch. */
  readonly now: number;
}

/** Reads a message. What can't be read, for whatever reason, is reported as a fault of the message: never throws. */
export function readMessage(body: string, { read, heedsRecommendations, now }: ReadMessageOptions): MessageReading {
  try {
    const reading = read(body);
    if (reading.reading === "malformed") return { asks: "unknown", problem: reading.problem };
    if (reading.reading === "nothing-asked") return { asks: "nothing", what: reading.what };
    // What AWS has done with a machine by now it will not do again: it would be out for nothing.
    const isDone = ({ kind, deadline }: Announcement) =>
      kind === "scheduled-change" && deadline !== undefined && isSpared(deadline, now);
    const announcements = reading.announcements.filter(
      (one) => (heedsRecommendations || !one.isVoluntary) && !isDone(one),
    );
    const [first] = reading.announcements;
    if (announcements.length === 0) return { asks: "nothing", what: first?.reason ?? "no instance" };
    for (const { instanceId } of announcements) nodeReference("id", instanceId);
    return { asks: "drains", announcements };
  } catch (error) {
    return { asks: "unknown", problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * As `read`, without the lifecycle actions of hooks that are not called `hookName`. A group may have hooks of other
 * programs, which complete them themselves: the machine leaves all the same. Absent: every hook is answered.
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
