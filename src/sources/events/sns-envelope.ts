import type { EventFields } from "./event-fields.ts";
import { MalformedEvent } from "./malformed-event.ts";

/** What SNS puts around a message, unless raw delivery is on: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html */
export function isSnsEnvelope(fields: EventFields): boolean {
  return fields.has("Type") && fields.has("TopicArn");
}

/** What is inside; undefined where SNS speaks for itself, of subscriptions. */
export function unwrapped(envelope: EventFields): EventFields | undefined {
  if (envelope.text("Type") !== "Notification") return undefined;
  const inside = envelope.document("Message");
  if (isSnsEnvelope(inside)) throw new MalformedEvent("Message is an SNS envelope again");
  return inside;
}
