import type { Announcement, EventReading } from "../announcement.ts";
import type { EventFields } from "./event-fields.ts";

/** One event of EventBridge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html */
export interface EventBridgeEvent {
  readonly origin: EventOrigin;
  readonly detail: EventFields;
  /** The subjects of the event according to its envelope: ARNs or ids. Empty if there are none. */
  readonly resources: readonly string[];
}

/** One kind of event that EventBridge delivers. */
export interface EventBridgeKind {
  readonly source: string;
  readonly detailTypes: readonly string[];
  /** Pure. Throws `MalformedEvent`. */
  read(event: EventBridgeEvent): EventReading;
}

/** What every event says about itself, whatever it announces. */
export type EventOrigin = Pick<Announcement, "announcedAt" | "eventId" | "accountId" | "region">;

/** The names that an envelope has for these fields. */
type OriginNames = { readonly [K in keyof EventOrigin]?: string };

/** A missing field is absent. An existing one must have its form. */
export function eventOrigin(fields: EventFields, names: OriginNames): EventOrigin {
  const announcedAt = names.announcedAt && fields.optionalTime(names.announcedAt);
  const eventId = names.eventId && fields.hint(names.eventId);
  const accountId = names.accountId && fields.optionalMatch(names.accountId, /^\d{12}$/, "an account's 12 digits");
  const region = names.region && fields.optionalMatch(names.region, /^[a-z0-9-]{1,40}$/, "a region");
  return {
    ...(typeof announcedAt === "number" && { announcedAt }),
    ...(eventId && { eventId }),
    ...(accountId && { accountId }),
    ...(region && { region }),
  };
}
