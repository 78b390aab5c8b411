/** `2022-08-11T14:00:00Z`, as EventBridge, Auto Scaling and EC2 write it. */
const ISO_8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
/** `Tue, 29 Aug 2023 03:30:00 GMT`, as AWS Health writes it; instance metadata leaves out the day of the week. */
const RFC_1123 = /^(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/** Milliseconds since the epoch. Undefined: it is none of the two ways in which AWS writes times, or no such time. */
export function eventTime(text: string): number | undefined {
  // Date.parse alone would take `1` for a moment in 2001, and texts without a zone for local time.
  if (!ISO_8601.test(text) && !RFC_1123.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
