import type { EventReading } from "../announcement.ts";
import type { EventFields } from "./event-fields.ts";
import type { EventOrigin } from "./event-origin.ts";

/** One event of EventBridge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html */
export interface EventBridgeEvent {
  readonly origin: EventOrigin;
  readonly detail: EventFields;
  /** What the event is about, as its envelope names it: ARNs or ids. Empty where it does not. */
  readonly resources: readonly string[];
}

/** One kind of event that EventBridge brings. */
export interface EventBridgeKind {
  readonly source: string;
  readonly detailTypes: readonly string[];
  /** Pure. Throws `MalformedEvent`. */
  read(event: EventBridgeEvent): EventReading;
}
