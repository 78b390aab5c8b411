import { EC2Client, type EC2ClientConfig } from "@aws-sdk/client-ec2";
import { ElasticLoadBalancingClient } from "@aws-sdk/client-elastic-load-balancing";
import { ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { CloudCall } from "../drain/events.ts";
import { observeCalls } from "./call-observer.ts";
import { isDependencyThrottle } from "./errors.ts";

export interface AwsClients {
  readonly ec2: EC2Client;
  readonly classic: ElasticLoadBalancingClient;
  readonly v2: ElasticLoadBalancingV2Client;
}

export interface AwsClientOptions {
  /** Absent: the SDK's own search (AWS_REGION, the profile). */
  readonly region?: string;
  /** Another endpoint than AWS's, for all three. Absent: AWS_ENDPOINT_URL, or AWS. */
  readonly endpoint?: string;
  /** Absent: wherever the SDK finds some. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Hears of every attempt to call AWS. */
  readonly onCall?: (call: CloudCall) => void;
  /** What carries the calls. Absent: HTTPS with time limits. */
  readonly requestHandler?: EC2ClientConfig["requestHandler"];
}

/** AWS answers these calls in well under a second; a connection that says nothing for so long is dead. */
const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** `adaptive` also slows down by itself once AWS throttles. */
const RETRY = { maxAttempts: 8, retryMode: "adaptive" } as const;

/**
 * Credentials, endpoints, proxies and so on come from wherever the AWS SDK looks for them; AWS_ENDPOINT_URL leads all
 * three clients elsewhere. https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
 */
export function createAwsClients({ onCall = () => {}, ...options }: AwsClientOptions): AwsClients {
  const config = {
    ...options,
    ...RETRY,
    requestHandler:
      options.requestHandler ??
      new NodeHttpHandler({
        connectionTimeout: CONNECTION_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        // The request's limit ends with the answer's headers; this one also ends a body that stops in the middle.
        socketTimeout: REQUEST_TIMEOUT_MS,
        // Without it the SDK only warns of a request that takes too long.
        throwOnRequestTimeout: true,
      }),
  };
  const classic = retryingDependencyThrottle(new ElasticLoadBalancingClient(config));
  return {
    ec2: observeCalls(new EC2Client(config), "ec2", onCall),
    classic: observeCalls(classic, "elasticloadbalancing", onCall),
    v2: observeCalls(new ElasticLoadBalancingV2Client(config), "elasticloadbalancing", onCall),
  };
}

function retryingDependencyThrottle(client: ElasticLoadBalancingClient): ElasticLoadBalancingClient {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (isDependencyThrottle(error)) Object.assign(error as Error, { $retryable: { throttling: true } });
        throw error;
      }
    },
    // Outside of what reads the answer, inside of what retries.
    { step: "deserialize", priority: "high", name: "retryDependencyThrottle" },
  );
  return client;
}
