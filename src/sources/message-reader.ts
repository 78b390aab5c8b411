import { nodeReference } from "../drain/request.ts";
import type { Announcement, EventReading } from "./announcement.ts";

/** What a message asks of us. */
export type MessageReading =
  | { readonly asks: "drains"; readonly announcements: readonly Announcement[] }
  /** `what` it is instead, for the log. */
  | { readonly asks: "nothing"; readonly what: string }
  | { readonly asks: "unknown"; readonly problem: string };

/** Reads a message with `read`. What can't be read, for whatever reason, is nobody's fault but the message's: never throws. */
export function readMessage(body: string, read: (body: string) => EventReading): MessageReading {
  try {
    const reading = read(body);
    if (reading.reading === "malformed") return { asks: "unknown", problem: reading.problem };
    if (reading.reading === "nothing-asked") return { asks: "nothing", what: reading.what };
    // A recommendation alone takes no node out.
    const announcements = reading.announcements.filter(({ isVoluntary }) => isVoluntary !== true);
    const [voluntary] = reading.announcements;
    if (announcements.length === 0) return { asks: "nothing", what: voluntary?.reason ?? "no instance" };
    for (const { instanceId } of announcements) nodeReference("id", instanceId);
    return { asks: "drains", announcements };
  } catch (error) {
    return { asks: "unknown", problem: error instanceof Error ? error.message : String(error) };
  }
}
