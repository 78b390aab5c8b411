import type { EventReading } from "../announcement.ts";
import type { EventFields } from "./event-fields.ts";
import type { EventOrigin } from "./event-origin.ts";

/** One event of EventBridge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html */
export interface EventBridgeEvent {
  readonly origin: EventOrigin;
  readonly detail: EventFields;
}

/** One kind of event that EventBridge brings. */
export interface EventBridgeKind {
  readonly source: string;
  readonly detailTypes: readonly string[];
  /** Pure. Throws `MalformedEvent`. */
  read(event: EventBridgeEvent): EventReading;
}
