import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { SQSClient } from "@aws-sdk/client-sqs";
import { type AwsClientOptions, clientConfig } from "./clients.ts";
import { renewRefusedCredentials } from "./credentials.ts";
import { holdToTheirNames } from "./named-answers.ts";
import type { QueueAddress } from "./queue-address.ts";

/** A receive call waits this long for messages, and is answered a moment later. */
const SOCKET_TIMEOUT_MS = 30_000;

/**
 * A client for the queue at `address`, whose URL contains the region and the endpoint. For AWS's own hosts the SDK
 * selects the endpoint, which differs with AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT. Those two have no
 * meaning for other hosts, and the SDK refuses them together with one
 * (https://github.com/aws/aws-sdk-go-v2/issues/3196). `endpoint`: AWS_ENDPOINT_URL_SQS, which replaces both.
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
  // For a queue by its name, AWS answers with a URL whose host may differ from the configured one.
  const config = { ...clientConfig({ ...options, ...where }, SOCKET_TIMEOUT_MS), useQueueUrlAsEndpoint: false };
  const client = renewRefusedCredentials(new SQSClient(config));
  options.time?.watch(client);
  return client;
}

export function createAutoScalingClient(options: AwsClientOptions): AutoScalingClient {
  const client = new AutoScalingClient(clientConfig(options));
  holdToTheirNames(client);
  options.time?.watch(client);
  return renewRefusedCredentials(client);
}

function origin(url: string): string {
  return new URL(url).origin;
}
