// The queue in a process of its own: fauxqs, which somebody else has written.
import { buildApp } from "fauxqs";
import { ScaledClock } from "../../src/simulator/clock.ts";
import type { AskQueue } from "./asks.ts";
import { answering } from "./forked.ts";
import { QUEUE, REGION } from "./place.ts";

const MESSAGES_PER_CALL_MAX = 10;
const clock = new ScaledClock(1);
const app = buildApp({ logger: false, defaultRegion: REGION });
const waiting: { readonly count: number; readonly resolve: (given: { readonly at: number }) => void }[] = [];
let deleted = 0;
let url = "";

app.addHook("onResponse", async ({ headers, body }) => {
  const action = String(headers["x-amz-target"] ?? "").replace("AmazonSQS.", "");
  if (action === "DeleteMessageBatch") deleted += (body as { readonly Entries: readonly unknown[] }).Entries.length;
  if (action === "DeleteMessage") deleted += 1;
  const at = clock.now();
  while (waiting[0] !== undefined && waiting[0].count <= deleted) waiting.shift()?.resolve({ at });
});

answering<AskQueue>({
  async open() {
    const address = await app.listen({ port: 0, host: "127.0.0.1" });
    url = String((await call("CreateQueue", { QueueName: QUEUE }))["QueueUrl"]);
    return { url: address };
  },
  async fill({ messages }) {
    for (let first = 0; first < messages.length; first += MESSAGES_PER_CALL_MAX) {
      const batch = messages.slice(first, first + MESSAGES_PER_CALL_MAX);
      const Entries = batch.map((MessageBody, index) => ({ Id: String(index), MessageBody }));
      await call("SendMessageBatch", { QueueUrl: url, Entries });
    }
    return { at: clock.now() };
  },
  deleted: ({ count }) =>
    new Promise((resolve) => {
      if (count <= deleted) return resolve({ at: clock.now() });
      waiting.push({ count, resolve });
    }),
  async depth() {
    const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    const { Attributes } = await call("GetQueueAttributes", { QueueUrl: url, AttributeNames: names });
    const counts = names.map((name) => Number((Attributes as Readonly<Record<string, string>>)[name]));
    return { messages: counts.reduce((sum, count) => sum + count, 0) };
  },
});

/** Without a socket, so that filling a queue takes little. */
async function call(action: string, given: object): Promise<Readonly<Record<string, unknown>>> {
  const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
  const answer = await app.inject({ method: "POST", url: "/", headers, payload: JSON.stringify(given) });
  if (answer.statusCode !== 200) throw new Error(`${action}: ${answer.body}`);
  return answer.json();
}
