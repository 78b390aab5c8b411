import type { EventFields } from "./event-fields.ts";

const BY_EVENT_BRIDGE = "Lambda Function Invocation Result - Failure";

/**
 * What Lambda sends to the on-failure destination of a function that was invoked with an event: the event is in it, and
 * was not dealt with. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
 */
export function isFailedInvocation(fields: EventFields): boolean {
  return recordOf(fields)?.has("requestPayload") === true;
}

/** The event that the function was invoked with. Undefined: the function has answered it. */
export function requestPayload(fields: EventFields): EventFields | undefined {
  const record = recordOf(fields) ?? fields;
  return record.object("requestContext").hint("condition") === "Success" ? undefined : record.object("requestPayload");
}

/** A bus as the destination gets the record as the detail of an event. */
function recordOf(fields: EventFields): EventFields | undefined {
  if (fields.hint("detail-type") === BY_EVENT_BRIDGE && fields.has("detail")) return fields.object("detail");
  return fields.has("requestContext") ? fields : undefined;
}
