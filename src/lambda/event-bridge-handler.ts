import type { AwsTime } from "../aws/aws-time.ts";
import type { Clock } from "../drain/clock.ts";
import type { Announcement, EventReading } from "../sources/announcement.ts";
import { readMessage } from "../sources/message-reader.ts";
import type { QueueEvent } from "../sources/source-events.ts";
import type { Departed, Departures } from "./departures.ts";
import { type InvocationTime, type LambdaContext, withinInvocation } from "./invocation.ts";

export interface EventBridgeHandlerOptions {
  readonly departures: Departures;
  readonly clock: Clock;
  readonly time: AwsTime;
  readonly read: (body: string) => EventReading;
  readonly onEvent: (event: QueueEvent) => void;
}

/** EventBridge delivers within seconds. An older event was tried before, by an invocation that failed. */
const FIRST_TRY_MS = 60_000;

/** Answers events that a rule of EventBridge sends directly to the function. */
export class EventBridgeHandler {
  readonly #options: EventBridgeHandlerOptions;

  constructor(options: EventBridgeHandlerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the event is settled, or each record of a batch with which SNS or SQS invokes the function. Throws
   * what Lambda has to retry. It retries twice.
   */
  async answer(event: unknown, context: LambdaContext): Promise<void> {
    const { clock, time, read, onEvent } = this.#options;
    const body = JSON.stringify(event) ?? "";
    const { id } = (event ?? {}) as { readonly id?: unknown };
    const messageId = typeof id === "string" ? id : "unnamed";
    const reading = readMessage(body, {
      read,
      heedsRecommendations: false,
      now: time.there(clock.now()),
      // No event invokes the function again when the maintenance is due, so nodes are drained for it at once.
      maintenanceLeadMs: Number.POSITIVE_INFINITY,
    });
    if (reading.asks === "nothing") return onEvent({ type: "nothing-asked", messageId, what: reading.what });
    if (reading.asks === "unknown") {
      onEvent({ type: "malformed", messageId, problem: reading.problem, receives: 1 });
      throw new TypeError(`the event does not announce a termination: ${reading.problem}`);
    }
    const { problems = [] } = reading.asks === "drains" ? reading : {};
    if (problems.length > 0) onEvent({ type: "partly-malformed", messageId, problems });
    await withinInvocation(context, clock, async (time) => {
      const each = reading.announcements.map((announcement) => this.#drain(announcement, messageId, time));
      const all = await Promise.allSettled(each);
      const failure = all.find((one) => one.status === "rejected");
      if (failure !== undefined) throw failure.reason;
      for (const one of all) if (one.status === "fulfilled") throwUnlessDone(one.value);
      const instanceIds = reading.announcements.map(({ instanceId }) => instanceId);
      onEvent({ type: "settled", messageId, instanceIds, message: "delete" });
    });
  }

  #drain(announcement: Announcement, messageId: string, time: InvocationTime): Promise<Departed> {
    const { departures, clock, time: awsTime } = this.#options;
    const now = clock.now();
    const { announcedAt, deadline: at } = announcement;
    const since = announcedAt === undefined ? now : Math.min(now, awsTime.here(announcedAt));
    const deadline = at === undefined ? undefined : awsTime.here(at);
    const firstTriedAt = now - since > FIRST_TRY_MS ? since : undefined;
    return departures.drain({ messageId, announcement, since, deadline, firstTriedAt }, time);
  }
}

function throwUnlessDone({ outcome, settlement }: Departed): void {
  // No other reader gets this event, so an event of another cluster needs no retry.
  if (outcome === undefined || settlement.message === "delete") return;
  if (outcome.status === "failed" && outcome.error.code === "other-cluster") return;
  if (outcome.status === "failed") throw outcome.error;
  if (outcome.status === "abandoned")
    throw new Error(
      "the invocation ended before the hold of the node. Lambda retries an event twice: use the queue for holds that are longer than three invocations",
    );
  throw new Error(`not drained: ${outcome.status}`);
}
