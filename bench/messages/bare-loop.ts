// What no consumer can do without: it receives and deletes, with the same SDK, batches and number of calls at once as
// the service, and looks at nothing.
import {
  DeleteMessageBatchCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { CREDENTIALS, QUEUE, REGION } from "./place.ts";

const MESSAGES_PER_CALL_MAX = 10;
const POLL_SECONDS = 20;
const VISIBILITY_SECONDS = 60;
const DELETES_AT_ONCE_MAX = 4;

const [, , endpoint = ""] = process.argv;
const sqs = new SQSClient({ region: REGION, credentials: CREDENTIALS, endpoint, useQueueUrlAsEndpoint: false });
const { QueueUrl = "" } = await sqs.send(new GetQueueUrlCommand({ QueueName: QUEUE }));
const waiting: (readonly Message[])[] = [];
let underWay = 0;

process.stdout.write("listening\n");
for (;;) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: MESSAGES_PER_CALL_MAX,
      WaitTimeSeconds: POLL_SECONDS,
      VisibilityTimeout: VISIBILITY_SECONDS,
      MessageSystemAttributeNames: ["SentTimestamp", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount"],
    }),
  );
  if (Messages.length > 0) waiting.push(Messages);
  begin();
}

function begin(): void {
  while (underWay < DELETES_AT_ONCE_MAX && waiting.length > 0) {
    underWay += 1;
    void remove(waiting.shift() ?? []).finally(() => {
      underWay -= 1;
      begin();
    });
  }
}

async function remove(messages: readonly Message[]): Promise<void> {
  const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
  await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
}
