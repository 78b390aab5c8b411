import type { EventReading } from "../announcement.ts";
import type { EventFields } from "./event-fields.ts";
import { MalformedEvent, within } from "./malformed-event.ts";
import { jointReading, nothingAsked } from "./readings.ts";
import { unwrapped } from "./sns-envelope.ts";

/** What a service of AWS invokes a function with: a batch of its messages, or of notifications such as S3's. */
export function isBatch(fields: EventFields): boolean {
  return fields.has("Records");
}

/**
 * What the records ask for, each judged alone. A record of SNS or SQS is the envelope of an event, which `read` reads.
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
  return jointReading(readings, "Records");
}

function readRecord(record: EventFields, read: (inside: EventFields) => EventReading): EventReading {
  // SNS alone writes it so.
  const source = record.hint("EventSource") ?? record.hint("eventSource");
  if (source === "aws:sns" || record.has("Sns")) {
    return within("SNS record", () => {
      const inside = unwrapped(record.object("Sns"));
      return inside === undefined ? nothingAsked("SNS") : read(inside);
    });
  }
  if (source === "aws:sqs") return within("SQS record", () => read(record.document("body")));
  if (source === undefined) throw new MalformedEvent("a record names no eventSource");
  return nothingAsked("Records"); // S3's own notifications, and others like them.
}
