import { setMaxListeners } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { buildApp } from "fauxqs";
import { onTestFinished } from "vitest";
import { CREDENTIALS } from "./simulated-region.ts";

interface Inspected {
  readonly messages: {
    readonly inflight: readonly { readonly message: { readonly messageId: string }; readonly receiptHandle: string }[];
  };
}

/** Registers what ends something that was begun. */
export type AtEnd = (end: () => void | Promise<void>) => void;

/** A queue over its socket, which somebody else has written. `atEnd`: when it is closed, by default after the test. */
export async function realQueue(name = "departures", atEnd: AtEnd = onTestFinished) {
  // Its own starter listens on every interface.
  const app = buildApp({ logger: false });
  atEnd(async () => void (await app.close()));
  const endpoint = await asAtAws(Number(new URL(await app.listen({ port: 0, host: "127.0.0.1" })).port), atEnd);
  const sqs = new SQSClient({ region: "eu-west-1", credentials: CREDENTIALS, endpoint });
  atEnd(() => sqs.destroy());
  const create = async () => {
    await sqs.send(new CreateQueueCommand({ QueueName: name }));
    return `${endpoint}/000000000000/${name}`;
  };
  const url = await create();
  return {
    endpoint,
    url,
    create,
    remove: () => sqs.send(new DeleteQueueCommand({ QueueUrl: url })),
    /** Its id. */
    async send(body: string): Promise<string> {
      return (await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }))).MessageId ?? "";
    },
    /** These messages come back now, as SQS lets them by itself a while after whoever received them has died. */
    async timeOut(messageIds: readonly string[]): Promise<void> {
      const { messages }: Inspected = (await app.inject(`/_fauxqs/queues/${name}`)).json();
      for (const { message, receiptHandle } of messages.inflight) {
        if (!messageIds.includes(message.messageId)) continue;
        const input = { QueueUrl: url, ReceiptHandle: receiptHandle, VisibilityTimeout: 0 };
        await sqs.send(new ChangeMessageVisibilityCommand(input));
      }
    },
    async depth(): Promise<{ readonly waiting: number; readonly inFlight: number }> {
      const input = {
        QueueUrl: url,
        AttributeNames: ["ApproximateNumberOfMessages" as const, "ApproximateNumberOfMessagesNotVisible" as const],
      };
      const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand(input));
      const [waiting, inFlight] = input.AttributeNames.map((attribute) => Number(Attributes[attribute]));
      return { waiting: waiting ?? 0, inFlight: inFlight ?? 0 };
    },
  };
}

/**
 * AWS goes by the path of a queue's URL, whatever its host. fauxqs wants its own host, which is a name that not every
 * machine finds: this stands before it and puts that into requests. fauxqs also goes on receiving for somebody who has
 * left: what it finds for them is put back.
 */
async function asAtAws(port: number, atEnd: AtEnd): Promise<string> {
  const theirs = `http://sqs.eu-west-1.localhost:${port}/`;
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const ask = async (headers: Record<string, string>, body: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body, signal: over.signal });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const server = createServer(async (request, response) => {
    try {
      let body = "";
      for await (const chunk of request) body += chunk;
      const { host, "content-length": _, connection, ...rest } = request.headers;
      const headers = rest as Record<string, string>;
      const sent = body.replace(/"QueueUrl":"http:\/\/[^/]+\//, `"QueueUrl":"${theirs}`);
      const answer = await ask(headers, sent);
      if (!response.destroyed)
        return void response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(answer.text);
      if (headers["x-amz-target"] !== "AmazonSQS.ReceiveMessage" || answer.status !== 200) return;
      for (const { ReceiptHandle } of JSON.parse(answer.text).Messages ?? []) {
        const back = { QueueUrl: JSON.parse(sent).QueueUrl, ReceiptHandle, VisibilityTimeout: 0 };
        await ask({ ...headers, "x-amz-target": "AmazonSQS.ChangeMessageVisibility" }, JSON.stringify(back));
      }
    } catch {
      response.destroy(); // Whoever asked has left, or the test is over.
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    over.abort();
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
