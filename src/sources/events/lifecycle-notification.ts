import type { EventReading } from "../announcement.ts";
import type { EventFields } from "./event-fields.ts";
import { eventOrigin } from "./event-origin.ts";
import { readLifecycleAction } from "./lifecycle-action.ts";
import { within } from "./malformed-event.ts";

const ORIGIN = { announcedAt: "Time", eventId: "RequestId", accountId: "AccountId" } as const;

/** What a hook with a notification target sends to a queue or a topic, without EventBridge. It does not name the region. */
export function isLifecycleNotification(fields: EventFields): boolean {
  return fields.has("LifecycleTransition");
}

export function readLifecycleNotification(fields: EventFields): EventReading {
  return within("lifecycle action", () => readLifecycleAction(fields, eventOrigin(fields, ORIGIN)));
}
