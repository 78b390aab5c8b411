import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { buildApp } from "fauxqs";
import { onTestFinished } from "vitest";
import { CREDENTIALS } from "../../support/simulated-region.ts";

/** An SQS of somebody else's make on 127.0.0.1, with one queue in it, until the test ends. */
export async function openQueue(name = "departures") {
  const app = buildApp({ logger: false });
  onTestFinished(async () => void (await app.close()));
  const endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
  const client = new SQSClient({
    region: "eu-west-1",
    endpoint,
    credentials: CREDENTIALS,
    useQueueUrlAsEndpoint: false,
  });
  onTestFinished(() => client.destroy());
  const { QueueUrl = "" } = await client.send(new CreateQueueCommand({ QueueName: name }));
  const receive = async () => {
    const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 });
    return ((await client.send(command)).Messages ?? []).map(({ Body = "" }) => JSON.parse(Body));
  };
  // The URL's host is a name that need not lead anywhere.
  return { url: QueueUrl, endpoint, receive };
}
