import { createHash } from "node:crypto";
import type { AwsTime } from "../../src/aws/aws-time.ts";
import { createSqsClient } from "../../src/aws/event-clients.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { anyOf, newAbort, WOKEN } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";
import { FakeQueue } from "./fake-queue.ts";
import { NameSigner } from "./name-signer.ts";

/** What goes wrong with a call, on its way or in its answer. The call is carried out but where that is said. */
export type QueueFault =
  /** Not carried out. */
  | { readonly type: "error"; readonly code: string; readonly status: number }
  /** Answered with status 200 by somebody who is not AWS. Not carried out. */
  | { readonly type: "page"; readonly body: string }
  /** Not carried out. */
  | { readonly type: "refused" }
  | { readonly type: "latency"; readonly ms: number }
  | { readonly type: "malformed" }
  | { readonly type: "empty" }
  | { readonly type: "reset" }
  | { readonly type: "hang" };

interface SentRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

interface SentOptions {
  readonly abortSignal?: AbortSignal;
  readonly requestTimeout?: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** After so long without an answer a call is given up, as the product's own handler does. */
const REQUEST_TIMEOUT_MS = 10_000;

/** A `FakeQueue` behind SQS's wire protocol, called by the real SDK without a socket. */
export class WireQueue {
  readonly queue: FakeQueue;
  /** What goes wrong with a call of this name: `ReceiveMessage`. Asked once a call. */
  fault: (name: string) => QueueFault | undefined = () => undefined;
  /** Hears of each call that is carried out, in the moment before. */
  carriesOut: (name: string) => void = () => {};
  readonly #clock: Clock;

  constructor(clock: Clock & { readonly elapsedMs: number }) {
    this.#clock = clock;
    this.queue = new FakeQueue(clock);
  }

  /** The product's client of a queue with this address. */
  client(address: string, time?: AwsTime) {
    const handler = { handle: this.#handle, updateHttpClientConfig() {}, httpHandlerConfigs: () => ({}), destroy() {} };
    // The SDK's type wants its own response class; it takes anything of that shape.
    const requestHandler = { ...handler, metadata: { handlerProtocol: "http/1.1" } } as never;
    const credentials = { accessKeyId: "simulated", secretAccessKey: "simulated" };
    const aws = { credentials, requestHandler, signer: new NameSigner({ credentials }) };
    return createSqsClient({ region: "eu-west-1", ...aws, time }, queueAddress(address));
  }

  readonly #handle = async (
    { headers: sent, body }: SentRequest,
    { abortSignal = newAbort().signal, requestTimeout = REQUEST_TIMEOUT_MS }: SentOptions = {},
  ) => {
    const name = (sent["x-amz-target"] ?? "").replace("AmazonSQS.", "");
    const over = newAbort();
    const timeout = this.#clock.sleep(requestTimeout, anyOf(abortSignal, over.signal)).then(() => {
      throw Object.assign(new Error("the request has timed out"), { name: "TimeoutError" });
    });
    const answered = this.#answer(name, JSON.parse(new TextDecoder().decode(body)), anyOf(abortSignal, over.signal));
    answered.catch(() => {});
    try {
      const { status, body: text, headers = {} } = await Promise.race([answered, timeout]);
      const date = new Date(this.#clock.now()).toUTCString();
      const all = { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "r", date, ...headers };
      return { response: { statusCode: status, headers: all, body: Buffer.from(text) } };
    } finally {
      over.abort(WOKEN);
    }
  };

  async #answer(name: string, input: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<Answer> {
    const fault = this.fault(name);
    if (fault?.type === "refused") throw broken("ECONNREFUSED");
    if (fault?.type === "page") return { status: 200, body: fault.body, headers: { "content-type": "text/html" } };
    if (fault?.type === "error") {
      const text = JSON.stringify({ __type: `com.amazonaws.sqs#${fault.code}`, message: "injected" });
      return { status: fault.status, body: text, headers: { "x-amzn-query-error": `${fault.code};Sender` } };
    }
    this.carriesOut(name);
    const answer = await this.queue.answer(name, input, signal);
    const body = JSON.stringify(withDigests(answer, input));
    switch (fault?.type) {
      case undefined:
        return { status: 200, body };
      case "latency":
        await this.#clock.sleep(fault.ms, signal);
        return { status: 200, body };
      case "malformed":
        return { status: 200, body: body.slice(0, Math.ceil(body.length / 2)) };
      case "empty":
        return { status: 200, body: "" };
      case "reset":
        throw broken("ECONNRESET");
      case "hang":
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      default:
        return fault satisfies never;
    }
  }
}

/** The SDK checks each body against its digest. */
function withDigests(answer: unknown, { MessageBody }: Readonly<Record<string, unknown>>): unknown {
  const digest = (text: string) => createHash("md5").update(text).digest("hex");
  if (typeof MessageBody === "string") return { ...(answer as object), MD5OfMessageBody: digest(MessageBody) };
  const { Messages } = answer as { readonly Messages?: readonly { readonly Body: string }[] };
  if (Messages === undefined) return answer;
  return { Messages: Messages.map((message) => ({ ...message, MD5OfBody: digest(message.Body) })) };
}

function broken(code: string): Error {
  return Object.assign(new Error(code), { code });
}
