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
  /** Absent: the SDK finds it (AWS_REGION, the profile). */
  readonly region?: string;
  /** Another endpoint than AWS's, for all three clients. Absent: AWS_ENDPOINT_URL, or AWS. */
  readonly endpoint?: string;
  /** Absent: the SDK finds them. */
  readonly credentials?: NonNullable<EC2ClientConfig["credentials"]>;
  /** The proxy. Absent: none. It has no effect on a `requestHandler` of the caller. */
  readonly proxy?: ProxySettings;
  /** Sends the requests. Absent: HTTPS with time limits. */
  readonly requestHandler?: EC2ClientConfig["requestHandler"];
  /** Gets AWS's time from every answer. */
  readonly time?: AwsTime | undefined;
  /**
   * Resolves in a later turn of the event loop, each of which parses one answer. Absent: they are parsed as they
   * arrive.
   */
  readonly turn?: (() => Promise<void>) | undefined;
}

/** AWS answers these calls in well under a second. A connection that is silent for this long is dead. */
const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** As in the SDK's own agent. */
const SOCKETS_MAX = 50;

/** It has no `info`: for that method the SDK would copy every answer. The others are silent, which is the default. */
const QUIET = { trace() {}, debug() {}, warn() {}, error() {} } as unknown as Logger;

/**
 * The AWS SDK finds credentials, endpoints and so on as usual. AWS_ENDPOINT_URL applies to all clients.
 * https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
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
    // Outside the middleware that reads the time of an answer, which must not include the wait.
    if (parsesInTurn !== undefined) addNextToTheWire(client, parsesInTurn);
    options.time?.watch(client);
  }
  return clients;
}

/**
 * Parsing the health of five hundred targets takes 10 ms, and the answers of all pools of a drain arrive at once. So
 * each turn of the event loop parses one, and probes and requests are answered in between.
 */
function inTurn(turn: () => Promise<void>): (next: Call) => Call {
  let last = Promise.resolve();
  return (next) => async (args) => {
    const result = await next(args);
    last = last.then(turn);
    await last;
    // A stream that ends early, before anything listens to it, does not report it later. The SDK would wait for its end
    // for ever.
    if (result.response.body?.destroyed === true)
      throw Object.assign(new Error("the connection was lost before the answer was read"), { code: "ECONNRESET" });
    return result;
  };
}

/**
 * The configuration of every client. Each call is one attempt, and callers repeat it, because every attempt counts
 * against AWS's request quota. `socketTimeoutMs`: how long an answer may be silent.
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
        // The request's limit ends with the headers of the answer. This one also ends a body that stops in the middle.
        socketTimeout: socketTimeoutMs,
        // Without it the SDK only warns about a request that takes too long.
        throwOnRequestTimeout: true,
        ...(proxy && { httpsAgent: new ProxyAgent(proxy, { keepAlive: true, maxSockets: SOCKETS_MAX }) }),
      }),
  };
}
