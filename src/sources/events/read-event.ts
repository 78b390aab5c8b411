import { type EventReading, nothingAsked } from "../announcement.ts";
import { inFailedInvocation, inSns, isBatch, isFailedInvocation, isSnsEnvelope, readBatch } from "./envelopes.ts";
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
  return readEnvelope(EventFields.parse(body, "the body"));
}

/** SNS's envelope, in a batch of records, in Lambda's word of an invocation that has failed, in SNS's envelope. */
const ENVELOPES_MAX = 4;

/** What is in envelopes is read from the outside inwards, however they are put into each other. */
function readEnvelope(fields: EventFields, remaining = ENVELOPES_MAX): EventReading {
  if (remaining === 0) throw new MalformedEvent(`it has more than ${ENVELOPES_MAX} envelopes around it`);
  const readInside = (inside: EventFields) => readEnvelope(inside, remaining - 1);
  if (isBatch(fields)) return readBatch(fields, readInside);
  if (isFailedInvocation(fields)) {
    return within("failed invocation", () => {
      const inside = inFailedInvocation(fields);
      return inside === undefined ? nothingAsked("Lambda: a successful invocation") : readInside(inside);
    });
  }
  if (!isSnsEnvelope(fields)) return readFields(fields);
  return within("SNS envelope", () => {
    const inside = inSns(fields);
    return inside === undefined ? nothingAsked(`SNS: ${fields.text("Type")}`) : readInside(inside);
  });
}

function readFields(fields: EventFields): EventReading {
  if (isEventBridgeEvent(fields)) return readEventBridgeEvent(fields);
  if (isLifecycleNotification(fields)) return readLifecycleNotification(fields);
  // Auto Scaling and S3 test their targets so, and Auto Scaling announces the instances that it has started and terminated.
  if (fields.has("Event") && fields.has("Service"))
    return nothingAsked(`${fields.text("Service")}: ${fields.text("Event")}`);
  throw new MalformedEvent("it is not an event: it has no detail-type, LifecycleTransition, Event or Records");
}
