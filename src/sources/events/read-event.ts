import { type EventReading, nothingAsked } from "../announcement.ts";
import { isEventBridgeEvent, readEventBridgeEvent } from "./event-bridge.ts";
import { EventFields, MalformedEvent, within } from "./event-fields.ts";
import { isLifecycleNotification, readLifecycleNotification } from "./lifecycle-action.ts";

/** SQS takes no larger message: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html */
const BODY_CHARACTERS_MAX = 1_048_576;

/** What the body of one message asks for. Pure, and never throws, whatever the body is. */
export function readEvent(body: string): EventReading {
  try {
    return readBody(body);
  } catch (error) {
    if (error instanceof MalformedEvent) return { reading: "malformed", problem: error.message };
    throw error;
  }
}

function readBody(body: string): EventReading {
  if (body.length > BODY_CHARACTERS_MAX) {
    throw new MalformedEvent(`the body is ${body.length} characters long: more than ${BODY_CHARACTERS_MAX}`);
  }
  const fields = EventFields.parse(body, "the body");
  if (!isSnsEnvelope(fields)) return readFields(fields);
  return within("SNS envelope", () => {
    const inside = unwrapped(fields);
    return inside === undefined ? nothingAsked(`SNS: ${fields.text("Type")}`) : readFields(inside);
  });
}

function readFields(fields: EventFields): EventReading {
  if (isEventBridgeEvent(fields)) return readEventBridgeEvent(fields);
  if (isLifecycleNotification(fields)) return readLifecycleNotification(fields);
  // Auto Scaling and S3 test their targets so, and Auto Scaling announces the instances that it has started and terminated.
  if (fields.has("Event") && fields.has("Service"))
    return nothingAsked(`${fields.text("Service")}: ${fields.text("Event")}`);
  if (fields.has("Records")) return nothingAsked("Records"); // S3's own notifications, and others like them.
  throw new MalformedEvent("it is not an event: it has no detail-type, LifecycleTransition, Event or Records");
}

/** What SNS puts around a message, unless raw delivery is on: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html */
function isSnsEnvelope(fields: EventFields): boolean {
  return fields.has("Type") && fields.has("TopicArn");
}

/** The inner message; undefined for SNS's own messages about subscriptions. */
function unwrapped(envelope: EventFields): EventFields | undefined {
  if (envelope.text("Type") !== "Notification") return undefined;
  const inside = envelope.document("Message");
  if (isSnsEnvelope(inside)) throw new MalformedEvent("Message is a second SNS envelope");
  return inside;
}
