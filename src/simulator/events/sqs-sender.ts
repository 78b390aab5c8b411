import { SendMessageCommand, SQSClient, SQSServiceException } from "@aws-sdk/client-sqs";
import { type Send, Undeliverable } from "./event-delivery.ts";

interface QueueInput {
  readonly url: string;
  readonly region: string;
  /** The endpoint of SQS, if it is not the host of the queue's URL. */
  readonly endpoint?: string;
}

/** Simulated queues accept any credentials. */
const CREDENTIALS = { accessKeyId: "simulated", secretAccessKey: "simulated" };

/** Sends messages to a queue of SQS, or of any server with the API of SQS. */
export class SqsSender {
  readonly #url: string;
  readonly #client: SQSClient;

  constructor({ url, region, endpoint = new URL(url).origin }: QueueInput) {
    this.#url = url;
    this.#client = new SQSClient({
      region,
      endpoint,
      useQueueUrlAsEndpoint: false,
      credentials: CREDENTIALS,
      maxAttempts: 1,
    });
  }

  readonly send: Send = async (body, signal) => {
    try {
      await this.#client.send(new SendMessageCommand({ QueueUrl: this.#url, MessageBody: body }), {
        abortSignal: signal,
      });
    } catch (error) {
      const isRefused = error instanceof SQSServiceException && error.$fault === "client";
      const { message: text, name } = error as Error;
      // If no address of a host answers, the error has no text.
      const message = `${this.#url}: ${text || ((error as NodeJS.ErrnoException).code ?? name)}`;
      throw isRefused ? new Undeliverable(message, { cause: error }) : new Error(message, { cause: error });
    }
  };

  close(): void {
    this.#client.destroy();
  }
}
