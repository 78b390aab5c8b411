import type { Moto } from "./moto.ts";

/** An event as EventBridge delivers it, of which whoever puts it says only a part. */
export interface BusEvent {
  readonly source: string;
  readonly "detail-type": string;
  readonly time: string;
  readonly resources: readonly string[] | string;
  readonly detail: Readonly<Record<string, unknown>>;
}

const ENTRIES_PER_CALL_MAX = 10;

/** Puts events on moto's default bus. The SDK's client for EventBridge would be a package more. */
export async function putEvents({ url }: Moto, events: readonly BusEvent[]): Promise<void> {
  for (let from = 0; from < events.length; from += ENTRIES_PER_CALL_MAX) {
    const Entries = events.slice(from, from + ENTRIES_PER_CALL_MAX).map((event) => ({
      Source: event.source,
      DetailType: event["detail-type"],
      Time: Date.parse(event.time) / 1_000,
      Resources: [event.resources].flat(),
      Detail: JSON.stringify(event.detail),
    }));
    const headers = {
      Authorization:
        "AWS4-HMAC-SHA256 Credential=moto/20260101/eu-west-1/events/aws4_request, SignedHeaders=host, Signature=0",
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": "AWSEvents.PutEvents",
    };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ Entries }) });
    const answer = await response.text();
    if (!response.ok || JSON.parse(answer).FailedEntryCount !== 0) throw new Error(`PutEvents: ${answer}`);
  }
}
