import { EC2Client, type EC2ClientConfig } from "@aws-sdk/client-ec2";
import { ElasticLoadBalancingClient } from "@aws-sdk/client-elastic-load-balancing";
import { ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { type AwsTime, addNextToTheWire, type Call } from "./aws-time.ts";
import { READ_FILES_AGAIN, renewRefusedCredentials } from "./credentials.ts";
import { ProxyAgent, type ProxySettings } from "./proxy.ts";

type Logger = NonNullable<EC2ClientConfig["logger"]>;

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
  readonly credentials?: NonNullable<EC2ClientConfig["credentials"]>;
  /** Through which proxy. Absent: none. Of no meaning to a `requestHandler` of the caller's. */
  readonly proxy?: ProxySettings;
  /** What carries the calls. Absent: HTTPS with time limits. */
  readonly requestHandler?: EC2ClientConfig["requestHandler"];
  /** Learns from every answer what AWS's clock says. */
  readonly time?: AwsTime | undefined;
  /** Resolves in a later turn of the event loop, each of which parses one answer. Absent: they are parsed as they come. */
  readonly turn?: (() => Promise<void>) | undefined;
}

/** AWS answers these calls in well under a second; a connection that says nothing for so long is dead. */
const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** As the SDK's own agent. */
const SOCKETS_MAX = 50;

/** Has no `info`: for that the SDK would copy every answer, which is not read. The others are silent, as by default. */
const QUIET = { trace() {}, debug() {}, warn() {}, error() {} } as unknown as Logger;

/**
 * Credentials, endpoints and so on come from wherever the AWS SDK looks for them; AWS_ENDPOINT_URL leads all
 * clients elsewhere. https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
 */
export function createAwsClients(options: AwsClientOptions): AwsClients {
  const config = clientConfig(options);
  const clients = {
    ec2: renewRefusedCredentials(new EC2Client(config)),
    classic: renewRefusedCredentials(new ElasticLoadBalancingClient(config)),
    v2: renewRefusedCredentials(new ElasticLoadBalancingV2Client(config)),
  };
  const parsesInTurn = options.turn && inTurn(options.turn);
  for (const client of Object.values(clients)) {
    // Around what takes the time of an answer, which is not to include the wait.
    if (parsesInTurn !== undefined) addNextToTheWire(client, parsesInTurn);
    options.time?.watch(client);
  }
  return clients;
}

/**
 * The health of five hundred targets takes 10 ms to parse, and a service that drains has the answers of all its pools come at
 * once: one in each turn of the event loop, so that probes and requests are answered in between.
 */
function inTurn(turn: () => Promise<void>): (next: Call) => Call {
  let last = Promise.resolve();
  return (next) => async (args) => {
    const result = await next(args);
    last = last.then(turn);
    await last;
    // A stream that ends early before anything listens to it does not say so later: the SDK would wait for its end forever.
    if (result.response.body?.destroyed === true)
      throw Object.assign(new Error("the connection was lost before the answer was read"), { code: "ECONNRESET" });
    return result;
  };
}

/**
 * What every client of ours is made with. Each call is one attempt: callers repeat it, because every attempt counts
 * against AWS's request quota. `socketTimeoutMs`: how long an answer may say nothing.
 */
export function clientConfig(
  { proxy, time: _, turn: __, ...options }: AwsClientOptions,
  socketTimeoutMs = REQUEST_TIMEOUT_MS,
) {
  return {
    ...options,
    ...READ_FILES_AGAIN,
    logger: QUIET,
    maxAttempts: 1,
    retryMode: "standard",
    requestHandler:
      options.requestHandler ??
      new NodeHttpHandler({
        connectionTimeout: CONNECTION_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        // The request's limit ends with the answer's headers; this one also ends a body that stops in the middle.
        socketTimeout: socketTimeoutMs,
        // Without it the SDK only warns of a request that takes too long.
        throwOnRequestTimeout: true,
        ...(proxy && { httpsAgent: new ProxyAgent(proxy, { keepAlive: true, maxSockets: SOCKETS_MAX }) }),
      }),
  };
}
