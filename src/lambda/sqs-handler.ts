import type { AwsTime } from "../aws/aws-time.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, printable } from "../drain/errors.ts";
import type { Announcement, EventReading } from "../sources/announcement.ts";
import { type MessageReading, readMessage } from "../sources/message-reader.ts";
import { canWait, postpone } from "../sources/postponing.ts";
import { jointly, type Settlement } from "../sources/settlement.ts";
import type { QueueEvent } from "../sources/source-events.ts";
import type { Departures } from "./departures.ts";
import { type InvocationTime, type LambdaContext, withinInvocation } from "./invocation.ts";

/** One message as Lambda passes it. https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */
export interface SqsRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly eventSourceARN: string;
  readonly attributes: {
    readonly ApproximateReceiveCount: string;
    readonly SentTimestamp: string;
    readonly ApproximateFirstReceiveTimestamp: string;
  };
}

export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

export interface SqsHandlerOptions {
  readonly departures: Departures;
  readonly clock: Clock;
  readonly time: AwsTime;
  readonly read: (body: string) => EventReading;
  readonly onEvent: (event: QueueEvent) => void;
  /** Makes a message visible before its visibility timeout ends. */
  readonly giveBack: (record: SqsRecord, seconds: number, signal: AbortSignal) => Promise<void>;
  /** Puts a copy of a message into its queue. */
  readonly putBack: (record: SqsRecord, body: string, delaySeconds: number, signal: AbortSignal) => Promise<void>;
  /** How long before the scheduled maintenance its nodes are drained, in milliseconds. */
  readonly maintenanceLeadMs: number;
}

/** A drain for which the invocation had no time continues at once. */
const UNFINISHED_SECONDS = 0;
/** A failed one is retried after a moment, but not later, because a hook or a machine may be waiting. */
const FAILED_SECONDS = 30;

/** Answers batches of messages. Lambda deletes each message that is not named in the answer. */
export class SqsHandler {
  readonly #options: SqsHandlerOptions;

  constructor(options: SqsHandlerOptions) {
    this.#options = options;
  }

  /**
   * Drains what the records announce, at the same time. Names those that have to be redelivered. Throws if that is all
   * of them, so that none is lost if the event source was set up without ReportBatchItemFailures.
   */
  async answer(records: readonly SqsRecord[], context: LambdaContext): Promise<SqsBatchResponse> {
    return withinInvocation(context, this.#options.clock, async (time) => {
      const results = await Promise.all(records.map((record) => this.#settle(record, time)));
      const failed = records.filter((_, index) => results[index] !== "delete");
      if (failed.length === records.length && failed.length > 0)
        throw new Error(`none of the ${failed.length} messages was processed: SQS redelivers them`);
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
    });
  }

  async #settle(record: SqsRecord, time: InvocationTime): Promise<Settlement["message"]> {
    const { onEvent, read, giveBack, clock, time: awsTime } = this.#options;
    const { messageId, body } = record;
    const receives = Number(record.attributes.ApproximateReceiveCount);
    const { maintenanceLeadMs } = this.#options;
    awsTime.passed(Number(record.attributes.ApproximateFirstReceiveTimestamp));
    const reading = readMessage(body, {
      read,
      maintenanceLeadMs,
      heedsRecommendations: false,
      now: awsTime.there(clock.now()),
    });
    if (reading.asks === "nothing") {
      onEvent({ type: "nothing-asked", messageId, what: reading.what });
      return "delete";
    }
    if (reading.asks === "unknown") {
      onEvent({ type: "malformed", messageId, problem: reading.problem, receives });
      return "leave";
    }
    const { announcements } = reading;
    if (reading.asks === "later" && canWait(receives)) {
      const postponed = await this.#postpone(record, receives, reading, time.settling);
      if (postponed !== undefined) return postponed;
    }
    const { problems = [] } = reading.asks === "drains" ? reading : {};
    if (problems.length > 0) onEvent({ type: "partly-malformed", messageId, problems });
    const result = jointly(await Promise.all(announcements.map((one) => this.#drain(one, record, time))));
    const instanceIds = announcements.map(({ instanceId }) => instanceId);
    onEvent({ type: "settled", messageId, instanceIds, message: result });
    if (result !== "delete") {
      const seconds = result === "release" && time.drains.aborted ? UNFINISHED_SECONDS : FAILED_SECONDS;
      // It is redelivered all the same when its visibility timeout ends.
      await giveBack(record, seconds, time.settling).catch((error: unknown) =>
        onEvent({ type: "not-settled", messageId, error: asDrainError(error) }),
      );
    }
    return result;
  }

  /** Undefined: it can't be postponed, and is drained for now. */
  async #postpone(
    record: SqsRecord,
    receives: number,
    { announcements, at }: Extract<MessageReading, { asks: "later" }>,
    signal: AbortSignal,
  ): Promise<Settlement["message"] | undefined> {
    const { onEvent, giveBack, putBack, clock, time } = this.#options;
    const { messageId, body } = record;
    const until = time.here(at);
    onEvent({ type: "postponed", messageId, announcements, until });
    try {
      const result = await postpone({ body, receives }, until - clock.now(), {
        hide: (seconds) => giveBack(record, seconds, signal),
        send: (text, seconds) => putBack(record, text, seconds, signal),
      });
      return result === "delete" ? "delete" : "leave";
    } catch (error) {
      onEvent({ type: receives > 1 ? "not-postponed" : "not-settled", messageId, error: asDrainError(error) });
      return receives > 1 ? undefined : "leave";
    }
  }

  async #drain(announcement: Announcement, record: SqsRecord, time: InvocationTime): Promise<Settlement["message"]> {
    const { departures, clock, time: awsTime, onEvent } = this.#options;
    const { messageId, attributes } = record;
    const firstReceivedAt = Number(attributes.ApproximateFirstReceiveTimestamp);
    const isFirst = Number(attributes.ApproximateReceiveCount) <= 1;
    const { announcedAt = Number(attributes.SentTimestamp), deadline } = announcement;
    const atMostNow = (at: number) => Math.min(clock.now(), awsTime.here(at));
    try {
      const { settlement } = await departures.drain(
        {
          messageId,
          announcement,
          since: atMostNow(announcedAt),
          deadline: deadline === undefined ? undefined : awsTime.here(deadline),
          firstTriedAt: isFirst ? undefined : atMostNow(firstReceivedAt),
          accountId: record.eventSourceARN.split(":")[4],
        },
        time,
      );
      return settlement.message;
    } catch (error) {
      onEvent({ type: "not-settled", messageId, error: asDrainError(error) });
      return "leave";
    }
  }
}

/** The records of an invocation. Throws `TypeError` if the event is not a batch of a queue. */
export function sqsRecords(event: unknown): readonly SqsRecord[] {
  const { Records } = (event ?? {}) as { readonly Records?: unknown };
  if (Array.isArray(Records) && Records.every(isSqsRecord)) return Records;
  throw new TypeError(
    `this handler takes batches of an SQS queue, and was invoked with ${printable(JSON.stringify(event) ?? String(event), 40)}`,
  );
}

function isSqsRecord(value: unknown): value is SqsRecord {
  const { messageId, receiptHandle, body, eventSourceARN, attributes } = (value ?? {}) as Partial<SqsRecord>;
  const texts = [messageId, receiptHandle, body, eventSourceARN];
  const { ApproximateReceiveCount, SentTimestamp, ApproximateFirstReceiveTimestamp } = attributes ?? {};
  const numbers = [ApproximateReceiveCount, SentTimestamp, ApproximateFirstReceiveTimestamp];
  return (
    texts.every((text) => typeof text === "string") && numbers.every((number) => /^\d{1,15}$/.test(String(number)))
  );
}
