import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { SQSClient } from "@aws-sdk/client-sqs";
import { type AwsClientOptions, clientConfig } from "./clients.ts";
import { holdToTheirNames } from "./named-answers.ts";
import type { QueueAddress } from "./queue-address.ts";

/** A receive waits for messages so long, and answers a moment later. */
const SOCKET_TIMEOUT_MS = 30_000;

/** For the queue at `address`: a URL says where to call and in which region, a name leaves both to the SDK. */
export function createSqsClient(options: AwsClientOptions, { url, region }: QueueAddress): SQSClient {
  const where = {
    ...(region === undefined ? {} : { region }),
    ...(url === undefined ? {} : { endpoint: origin(url) }),
  };
  // Of a queue by its name AWS answers with a URL whose host need not be the one that was configured.
  return new SQSClient({ ...clientConfig({ ...options, ...where }, SOCKET_TIMEOUT_MS), useQueueUrlAsEndpoint: false });
}

export function createAutoScalingClient(options: AwsClientOptions): AutoScalingClient {
  const client = new AutoScalingClient(clientConfig(options));
  holdToTheirNames(client);
  return client;
}

function origin(url: string): string {
  return new URL(url).origin;
}
