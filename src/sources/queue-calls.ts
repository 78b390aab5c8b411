import {
  ChangeMessageVisibilityBatchCommand,
  type ChangeMessageVisibilityBatchCommandOutput,
  DeleteMessageBatchCommand,
  type DeleteMessageBatchCommandOutput,
  GetQueueUrlCommand,
  type GetQueueUrlCommandOutput,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandOutput,
  SendMessageCommand,
  type SendMessageCommandOutput,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { accountIn, type QueueAddress } from "../aws/queue-address.ts";
import type { UnmeteredCaller } from "../aws/unmetered-caller.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import { type EntryFailure, MessageBatches } from "./message-batches.ts";

/** One message as it was delivered. Times are AWS's, in milliseconds since the epoch. */
export interface ReceivedMessage {
  readonly id: string;
  /** The handle of this delivery. Only that of the latest delivery of a message is valid. */
  readonly handle: string;
  readonly body: string;
  readonly sentAt?: number;
  readonly firstReceivedAt?: number;
  /** How often it was delivered, including this time. AWS's count is approximate. */
  readonly receives: number;
}

export interface QueueCallsOptions {
  readonly address: QueueAddress;
  readonly sqs: Pick<SQSClient, "send">;
  readonly caller: UnmeteredCaller;
  readonly clock: Clock;
}

/** The most messages that AWS returns in one call, and the longest time that it waits for them. */
export const MESSAGES_PER_CALL_MAX = 10;
const POLL_SECONDS = 20;
const POLL_TIMEOUT_MS = (POLL_SECONDS + 10) * 1_000;

const FIND = { name: "sqs:GetQueueUrl", answersWith: "QueueUrl" };
const RECEIVE = { name: "sqs:ReceiveMessage" };
/** IAM has no action of its own for batches. */
const DELETE = { name: "sqs:DeleteMessage" };
const CHANGE = { name: "sqs:ChangeMessageVisibility" };
const SEND = { name: "sqs:SendMessage", answersWith: "MessageId" };
/** AWS does not delay a message for longer. */
export const DELAY_SECONDS_MAX = 900;

/** The calls for a queue. Each throws `DrainError`, or its signal's reason. */
export class QueueCalls {
  readonly #options: QueueCallsOptions;
  readonly #deletes: MessageBatches<{ readonly handle: string }>;
  readonly #changes: MessageBatches<{ readonly handle: string; readonly seconds: number }>;
  #url: string | undefined;
  #accountId: string | undefined;
  #hasReceived = false;

  constructor(options: QueueCallsOptions) {
    this.#options = options;
    const { clock } = options;
    this.#url = options.address.url;
    this.#accountId = options.address.accountId;
    this.#deletes = new MessageBatches({ clock, send: (entries, signal) => this.#delete(entries, signal) });
    this.#changes = new MessageBatches({ clock, send: (entries, signal) => this.#change(entries, signal) });
  }

  /** The account of the queue; undefined until it is known. */
  get accountId(): string | undefined {
    return this.#accountId;
  }

  /**
   * Waits for messages as long as AWS does. The first call does not wait, to know soon whether the queue can be read.
   * The messages are invisible to other readers for `visibilitySeconds`. After `stop` there is no further attempt, and
   * the answer still counts: AWS continues a poll whose caller has left, and assigns messages to it that no reader gets
   * then (https://github.com/aws/aws-sdk-js/issues/2350). `cut` aborts the poll.
   */
  async receive(visibilitySeconds: number, stop: AbortSignal, cut: AbortSignal): Promise<readonly ReceivedMessage[]> {
    const { caller, sqs } = this.#options;
    const input = {
      QueueUrl: await this.#queueUrl(stop),
      MaxNumberOfMessages: MESSAGES_PER_CALL_MAX,
      WaitTimeSeconds: this.#hasReceived ? POLL_SECONDS : 0,
      VisibilityTimeout: visibilitySeconds,
      MessageSystemAttributeNames: ["SentTimestamp", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount"],
    } as const;
    const http = { abortSignal: cut, requestTimeout: POLL_TIMEOUT_MS };
    const { Messages = [] } = await caller.call<ReceiveMessageCommandOutput>(
      RECEIVE,
      () =>
        sqs.send(
          new ReceiveMessageCommand({ ...input, MessageSystemAttributeNames: [...input.MessageSystemAttributeNames] }),
          http,
        ),
      stop,
    );
    this.#hasReceived = true;
    return Messages.map(received);
  }

  delete(handle: string, signal: AbortSignal): Promise<void> {
    return this.#deletes.add({ handle }, signal);
  }

  /** Other readers may have the message after this many seconds. */
  changeVisibility(handle: string, seconds: number, signal: AbortSignal): Promise<void> {
    return this.#changes.add({ handle, seconds }, signal);
  }

  /** Sends a message to the queue that is received after this many seconds at the earliest. */
  async send(body: string, delaySeconds: number, signal: AbortSignal): Promise<void> {
    const command = new SendMessageCommand({
      QueueUrl: await this.#queueUrl(signal),
      MessageBody: body,
      DelaySeconds: Math.min(DELAY_SECONDS_MAX, delaySeconds),
    });
    await this.#options.caller.call<SendMessageCommandOutput>(
      SEND,
      () => this.#options.sqs.send(command, { abortSignal: signal }),
      signal,
    );
  }

  async #queueUrl(signal: AbortSignal): Promise<string> {
    const { address, caller, sqs } = this.#options;
    if (this.#url !== undefined) return this.#url;
    const { QueueUrl } = await caller.call<GetQueueUrlCommandOutput>(
      FIND,
      () => sqs.send(new GetQueueUrlCommand({ QueueName: address.name }), { abortSignal: signal }),
      signal,
    );
    this.#url = QueueUrl ?? "";
    this.#accountId ??= accountIn(this.#url);
    return this.#url;
  }

  async #delete(
    entries: readonly { readonly handle: string }[],
    signal: AbortSignal,
  ): Promise<readonly EntryFailure[]> {
    const Entries = entries.map(({ handle }, index) => ({ Id: String(index), ReceiptHandle: handle }));
    const command = new DeleteMessageBatchCommand({ QueueUrl: await this.#queueUrl(signal), Entries });
    const answer = await this.#options.caller.call<DeleteMessageBatchCommandOutput>(
      DELETE,
      () => this.#options.sqs.send(command, { abortSignal: signal }),
      signal,
    );
    return failuresOf(answer, entries.length, DELETE.name);
  }

  async #change(
    entries: readonly { readonly handle: string; readonly seconds: number }[],
    signal: AbortSignal,
  ): Promise<readonly EntryFailure[]> {
    const Entries = entries.map(({ handle, seconds }, index) => ({
      Id: String(index),
      ReceiptHandle: handle,
      VisibilityTimeout: seconds,
    }));
    const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: await this.#queueUrl(signal), Entries });
    const answer = await this.#options.caller.call<ChangeMessageVisibilityBatchCommandOutput>(
      CHANGE,
      () => this.#options.sqs.send(command, { abortSignal: signal }),
      signal,
    );
    return failuresOf(answer, entries.length, CHANGE.name);
  }
}

function received({ MessageId = "", ReceiptHandle = "", Body = "", Attributes = {} }: Message): ReceivedMessage {
  const sentAt = moment(Attributes.SentTimestamp);
  const firstReceivedAt = moment(Attributes.ApproximateFirstReceiveTimestamp);
  return {
    id: MessageId,
    handle: ReceiptHandle,
    body: Body,
    receives: Math.max(1, Number(Attributes.ApproximateReceiveCount) || 1),
    ...(sentAt === undefined ? {} : { sentAt }),
    ...(firstReceivedAt === undefined ? {} : { firstReceivedAt }),
  };
}

function moment(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

type BatchAnswer = Pick<DeleteMessageBatchCommandOutput, "Successful" | "Failed">;

/** An entry that the answer does not mention has failed too, because an empty answer proves nothing. */
function failuresOf(
  { Successful = [], Failed = [] }: BatchAnswer,
  count: number,
  action: string,
): readonly EntryFailure[] {
  const done = new Set(Successful.map(({ Id }) => Id));
  const indices = [...Array(count).keys()].filter((index) => !done.has(String(index)));
  return indices.map((index) => {
    const failed = Failed.find(({ Id }) => Id === String(index));
    if (failed === undefined)
      return {
        index,
        isPassing: true,
        error: new DrainError("unavailable", `${action}: AWS did not return a result`),
      };
    const { Code, Message: message = "", SenderFault } = failed;
    const isPassing = SenderFault !== true;
    const code = isPassing ? "unavailable" : "cloud-error";
    return { index, isPassing, error: new DrainError(code, `${action} failed: ${Code}: ${message}`.trimEnd()) };
  });
}
