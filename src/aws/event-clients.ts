import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { SQSClient } from "@aws-sdk/client-sqs";
import { type AwsClientOptions, clientConfig } from "./clients.ts";
import { holdToTheirNames } from "./named-answers.ts";
import type { QueueAddress } from "./queue-address.ts";

/** A receive waits for messages so long, and answers a moment later. */
const SOCKET_TIMEOUT_MS = 30_000;

/**
 * For the queue at `address`: a URL says in which region it is, and where to call. Of AWS's own hosts the SDK knows which
 * one is meant, which differs with AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT. Those two have no meaning for any
 * other host, and the SDK refuses them together with one (https://github.com/aws/aws-sdk-go-v2/issues/3196). `endpoint`:
 * AWS_ENDPOINT_URL_SQS, which takes the place of either.
 */
export function createSqsClient(
  options: AwsClientOptions,
  { url, region, awsHost }: QueueAddress,
  endpoint?: string,
): SQSClient {
  const at = endpoint ?? (url !== undefined && awsHost === undefined ? origin(url) : undefined);
  const where = {
    ...(region === undefined ? {} : { region }),
    ...(at === undefined ? {} : { endpoint: at, useFipsEndpoint: false, useDualstackEndpoint: false }),
    ...(at === undefined && awsHost === "fips" ? { useFipsEndpoint: true } : {}),
    ...(at === undefined && awsHost === "dualstack" ? { useDualstackEndpoint: true } : {}),
  };
  // Of a queue by its name AWS answers with a URL whose host need not be the one that was configured.
  const config = { ...clientConfig({ ...options, ...where }, SOCKET_TIMEOUT_MS), useQueueUrlAsEndpoint: false };
  const client = new SQSClient(config);
  options.time?.watch(client);
  return client;
}

export function createAutoScalingClient(options: AwsClientOptions): AutoScalingClient {
  const client = new AutoScalingClient(clientConfig(options));
  holdToTheirNames(client);
  options.time?.watch(client);
  return client;
}

function origin(url: string): string {
  return new URL(url).origin;
}
