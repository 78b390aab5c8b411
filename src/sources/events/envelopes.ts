import { type EventReading, jointReading, nothingAsked } from "../announcement.ts";
import { type EventFields, MalformedEvent, within } from "./event-fields.ts";

/**
 * The envelope of SNS around a message, unless raw delivery is on:
 * https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
 */
export function isSnsEnvelope(fields: EventFields): boolean {
  return fields.has("Type") && fields.has("TopicArn");
}

/** The content. Undefined for SNS's own messages about subscriptions. */
export function inSns(envelope: EventFields): EventFields | undefined {
  if (envelope.text("Type") !== "Notification") return undefined;
  const inside = envelope.document("Message");
  if (isSnsEnvelope(inside)) throw new MalformedEvent("Message is a second SNS envelope");
  return inside;
}

/**
 * The event with which a service of AWS invokes a function: a batch of its messages, or of notifications such as S3's.
 */
export function isBatch(fields: EventFields): boolean {
  return fields.has("Records");
}

/**
 * What the records ask for, each on its own. A record of SNS or SQS is the envelope of an event, which `read` reads.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
 */
export function readBatch(fields: EventFields, read: (inside: EventFields) => EventReading): EventReading {
  const readings: EventReading[] = [];
  const odd = (problem: string) => void readings.push({ reading: "malformed", problem });
  for (const record of fields.objects("Records", odd)) {
    try {
      readings.push(readRecord(record, read));
    } catch (error) {
      if (!(error instanceof MalformedEvent)) throw error;
      odd(error.message);
    }
  }
  // No service sends an empty batch: its content is lost, and must not count as settled.
  if (readings.length === 0) throw new MalformedEvent("Records is empty");
  return jointReading(readings, "Records");
}

function readRecord(record: EventFields, read: (inside: EventFields) => EventReading): EventReading {
  // Only SNS writes it like this.
  const source = record.hint("EventSource") ?? record.hint("eventSource");
  if (source === "aws:sns" || record.has("Sns")) {
    return within("SNS record", () => {
      const inside = inSns(record.object("Sns"));
      return inside === undefined ? nothingAsked("SNS") : read(inside);
    });
  }
  if (source === "aws:sqs") return within("SQS record", () => read(record.document("body")));
  if (source === undefined) throw new MalformedEvent("a record names no eventSource");
  return nothingAsked("Records"); // S3's own notifications, and others like them.
}

const BY_EVENT_BRIDGE = "Lambda Function Invocation Result - Failure";

/**
 * What Lambda sends to the on-failure destination of a function that was invoked with an event: it contains the event,
 * which was not settled. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
 */
export function isFailedInvocation(fields: EventFields): boolean {
  return recordOf(fields)?.has("requestPayload") === true;
}

/** The event with which the function was invoked. Undefined: the function has answered it. */
export function inFailedInvocation(fields: EventFields): EventFields | undefined {
  const record = recordOf(fields) ?? fields;
  return record.object("requestContext").hint("condition") === "Success" ? undefined : record.object("requestPayload");
}

/** A bus as the destination gets the record as the detail of an event. */
function recordOf(fields: EventFields): EventFields | undefined {
  if (fields.hint("detail-type") === BY_EVENT_BRIDGE && fields.has("detail")) return fields.object("detail");
  return fields.has("requestContext") ? fields : undefined;
}
