import { AwsTime } from "../aws/aws-time.ts";
import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import type { Delivery, EventSource } from "../drain/event-source.ts";
import { notify } from "../drain/events.ts";
import {
  type Announced,
  AnnouncedDrain,
  type AnnouncedDrainOptions,
  asksScaling,
  type Ending,
  type ScalingAnswer,
  scalingAnswer,
} from "./announced-drain.ts";
import type { Announcement, EventReading } from "./announcement.ts";
import { AnswerLimits } from "./answer-limits.ts";
import { MessageInFlight } from "./in-flight.ts";
import type { LifecycleHooks } from "./lifecycle-hooks.ts";
import { readMessage } from "./message-reader.ts";
import { Postponing } from "./postponing.ts";
import { MESSAGES_PER_CALL_MAX, QueueCalls, type QueueCallsOptions, type ReceivedMessage } from "./queue-calls.ts";
import { Receiver } from "./receiver.ts";
import type { Recommendations } from "./recommendations.ts";
import type { ReturningMachines } from "./returning.ts";
import type { EventPlace, ForeignEvents, Settlement } from "./settlement.ts";
import { foreignSettlement, isOfOtherAccount, isOfOthers, secondsUntilBack, settlementOf } from "./settlement.ts";
import type { QueueEvent, SourceObserver } from "./source-events.ts";
import { Visibility } from "./visibility.ts";

const IN_FLIGHT_MAX = 1_000;
const SETTLE_MAX_MS = 120_000;
/** For messages to be returned when the process has to end. */
const RELEASE_MAX_MS = 5_000;
const NOTHING: Settlement = { message: "leave", hook: "untouched" };
const ignore = () => {};

/** An announcement, with its message. */
interface Received extends Announced {
  readonly message: MessageInFlight;
}

/**
 * Departures that messages of an SQS queue announce. A message is hidden from other consumers while its drains run, and
 * deleted when all of them have ended and their hooks are completed. If the process ends before that, the message is
 * redelivered, here or to another reader.
 */
export class SqsQueue implements EventSource {
  readonly #options: SqsQueueOptions;
  readonly #calls: QueueCalls;
  readonly #receiver: Receiver;
  readonly #visibility: Visibility;
  readonly #postponing: Postponing;
  readonly #time: AwsTime;
  readonly #inFlight = new Map<string, MessageInFlight>();
  /** Work that only the end of `deliveries` waits for. */
  readonly #underWay = new Set<Promise<void>>();
  readonly #announcing: AnnouncedDrainOptions;
  readonly #ending: Ending;
  readonly #stopping = newAbort();
  /** Aborts all calls, when the process has taken long enough to end. */
  readonly #cut = newAbort();
  readonly #limits: AnswerLimits;
  readonly #over = newAbort();
  #hasEnded = false;
  #wake: () => void = () => {};

  constructor(options: SqsQueueOptions) {
    this.#options = options;
    const { clock, time = new AwsTime(clock) } = options;
    this.#calls = new QueueCalls(options);
    this.#time = time;
    const onEvent = (event: QueueEvent) => this.#notify(event);
    const shared = { calls: this.#calls, clock, onEvent };
    this.#announcing = { ...options, onEvent };
    this.#limits = new AnswerLimits(clock, this.#cut.signal);
    this.#ending = {
      stop: this.#stopping.signal,
      limited: (work) => this.#limited(SETTLE_MAX_MS, work),
      // There is room for another message now.
      onAwaiting: () => this.#wake(),
    };
    this.#receiver = new Receiver(shared);
    this.#postponing = new Postponing({ ...shared, limited: (work) => this.#limited(SETTLE_MAX_MS, work) });
    this.#visibility = new Visibility({ ...shared, inFlight: () => this.#inFlight.values() });
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** The number of messages whose drains run now. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** The state of receiving, with the last failure if it is failing. */
  get receiving(): Pick<Receiver, "isKnown" | "trouble" | "lastReadAt"> {
    return this.#receiver;
  }

  get isReceiving(): boolean {
    return this.#receiver.trouble === undefined;
  }

  async *deliveries(stop: AbortSignal): AsyncGenerator<Delivery> {
    const { clock, abandon } = this.#options;
    const onStop = () => {
      this.#stopping.abort(WOKEN);
      this.#wake();
    };
    const over = this.#over.signal;
    const onAbandon = () => void clock.sleep(RELEASE_MAX_MS, over).then(() => this.#cut.abort(), ignore);
    if (stop.aborted) onStop();
    else stop.addEventListener("abort", onStop, { once: true });
    if (abandon.aborted) onAbandon();
    else abandon.addEventListener("abort", onAbandon, { once: true, signal: over });
    while (!stop.aborted) {
      const asking: Promise<readonly [Received, ScalingAnswer]>[] = [];
      for (const message of await this.#next(stop)) {
        for (const received of this.#received(message)) {
          // A request without time is not delayed by a call to Auto Scaling.
          if (!asksScaling(received.announcement)) yield this.#delivery(received, {});
          else asking.push(scalingAnswer(received, this.#announcing, stop).then((answer) => [received, answer]));
        }
      }
      for (const [received, answer] of await Promise.all(asking)) {
        if (answer.isBack) this.#inBackground(this.#returned(received));
        else yield this.#delivery(received, answer);
      }
    }
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    this.#hasEnded = true;
    this.#endIfDone();
  }

  /** Messages as soon as there are some and there is room for them. None when the source stops. */
  async #next(stop: AbortSignal): Promise<readonly ReceivedMessage[]> {
    const { inFlightMax = IN_FLIGHT_MAX, recommendations, returning } = this.#options;
    // The drains of nodes that wait for a departure or for their return have ended.
    const draining = () => this.#inFlight.size - (recommendations?.waiting ?? 0) - (returning?.waiting ?? 0);
    const isFull = () => draining() > Math.max(0, inFlightMax - MESSAGES_PER_CALL_MAX);
    while (isFull() && !this.#isStopping) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#isStopping ? [] : this.#receiver.next(stop, this.#cut.signal).catch(() => []); // Stopped.
  }

  /** The announcements of a message that is delivered for the first time. All other messages are settled here. */
  #received(received: ReceivedMessage): readonly Received[] {
    const { clock, read, places, foreign, dryRun, recommendations } = this.#options;
    const { id: messageId, handle, body, receives } = received;
    if (received.firstReceivedAt !== undefined && receives === 1) this.#time.receivedNow(received.firstReceivedAt);
    const known = this.#inFlight.get(messageId);
    // A released message may be redelivered before AWS's answer.
    if (known !== undefined && !known.isDone) {
      known.redelivered(handle, clock.now());
      this.#notify({ type: "redelivered", messageId });
      return [];
    }
    if (this.#isStopping) {
      this.#inBackground(this.#limited(RELEASE_MAX_MS, (signal) => this.#calls.changeVisibility(handle, 0, signal)));
      return [];
    }
    const { maintenanceLeadMs } = this.#options;
    const reading = readMessage(body, {
      read,
      maintenanceLeadMs,
      now: this.#time.there(clock.now()),
      heedsRecommendations: recommendations !== undefined,
    });
    if (reading.asks === "unknown") {
      this.#notify({ type: "malformed", messageId, problem: reading.problem, receives });
      return [];
    }
    if (reading.asks === "nothing") {
      this.#notify({ type: "nothing-asked", messageId, what: reading.what });
      if (!dryRun) this.#inBackground(this.#discard(received));
      return [];
    }
    const { announcements } = reading;
    if (reading.asks === "later" && this.#postpones(announcements, receives)) {
      this.#inBackground(this.#postponing.postpone(received, announcements, this.#time.here(reading.at)));
      return [];
    }
    const { problems = [] } = reading.asks === "drains" ? reading : {};
    if (problems.length > 0) this.#notify({ type: "partly-malformed", messageId, problems });
    const ids = announcements.map(({ instanceId }) => instanceId);
    const { firstReceivedAt = clock.now() } = received;
    const firstTried = receives > 1 ? { firstTriedAt: this.#time.here(firstReceivedAt) } : {};
    const message = new MessageInFlight(received, ids, clock.now());
    this.#inFlight.set(messageId, message);
    this.#visibility.begin();
    return announcements.flatMap((announcement) => {
      const { announcedAt = received.sentAt } = announcement;
      const since = announcedAt === undefined ? clock.now() : this.#time.here(announcedAt);
      const deadline = announcement.deadline === undefined ? undefined : this.#time.here(announcement.deadline);
      if (!isOfOthers(announcement, places))
        return [{ message, messageId, announcement, since, deadline, ...firstTried }];
      this.#notify({ type: announcement.isCopy ? "copy" : "foreign", messageId, announcement });
      const { message: result } = dryRun ? NOTHING : foreignSettlement(foreign, announcement.isCopy);
      this.#inBackground(this.#done(message, result));
      return [];
    });
  }

  /** A dry run shows the plan at once, and does not keep another region's message from it. */
  #postpones(announcements: readonly Announcement[], receives: number): boolean {
    const { dryRun, places } = this.#options;
    const isOurs = announcements.some((one) => !isOfOthers(one, places));
    return isOurs && !dryRun && this.#postponing.canWait(receives);
  }

  #delivery(received: Received, answer: Partial<ScalingAnswer>): Delivery {
    const { message, announcement } = received;
    const drain = new AnnouncedDrain(received, answer, this.#announcing);
    return {
      request: drain.request,
      // The message itself survives the process.
      accepted: ignore,
      unrecorded: ignore,
      settle: async (outcome) => {
        const { foreign, dryRun, places } = this.#options;
        const isOtherAccount = isOfOtherAccount(announcement.accountId, this.#calls.accountId, places);
        const settlement = dryRun ? NOTHING : settlementOf(outcome, { foreign, isOtherAccount });
        let result: Settlement["message"] = "leave";
        try {
          await drain.ended();
          result = await drain.settle(outcome, settlement, this.#ending);
        } finally {
          await this.#done(message, result);
        }
      },
    };
  }

  /** Registers again what an earlier process has deregistered. */
  async #returned({ message, announcement: { instanceId }, firstTriedAt }: Received): Promise<void> {
    const what = `root volume of ${instanceId}: replaced already`;
    this.#notify({ type: "nothing-asked", messageId: message.id, what });
    try {
      if (firstTriedAt !== undefined) await this.#options.returning?.settled({ instanceId }, this.#stopping.signal);
    } catch {
      return this.#done(message, "release"); // Stopped.
    }
    await this.#done(message, "delete");
  }

  /** For one announcement. The last one of a message decides what happens to the message. Throws `DrainError`. */
  async #done(message: MessageInFlight, result: Settlement["message"]): Promise<void> {
    const jointSettlement = message.done(result);
    if (jointSettlement === undefined) return;
    const { id: messageId, instanceIds } = message;
    try {
      await this.#limited(this.#isStopping ? RELEASE_MAX_MS : SETTLE_MAX_MS, async (signal) => {
        if (jointSettlement === "delete") await this.#calls.delete(message.handle, signal);
        else
          await this.#calls.changeVisibility(
            message.handle,
            this.#isStopping ? 0 : secondsUntilBack(jointSettlement, message.receives),
            signal,
          );
      });
      this.#notify({ type: "settled", messageId, instanceIds, message: jointSettlement });
    } catch (error) {
      this.#notify({ type: "not-settled", messageId, error: asDrainError(error) });
      throw error;
    } finally {
      if (this.#inFlight.get(messageId) === message) this.#inFlight.delete(messageId);
      if (this.#inFlight.size === 0) this.#visibility.end();
      this.#wake();
      this.#endIfDone();
    }
  }

  /** Nothing remains that would have to be aborted. */
  #endIfDone(): void {
    if (this.#hasEnded && this.#inFlight.size === 0) this.#over.abort();
  }

  async #discard({ id: messageId, handle }: ReceivedMessage): Promise<void> {
    try {
      await this.#limited(SETTLE_MAX_MS, (signal) => this.#calls.delete(handle, signal));
    } catch (error) {
      this.#notify({ type: "not-settled", messageId, error: asDrainError(error) });
    }
  }

  #limited(ms: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    return this.#limits.within(ms, work);
  }

  /** Work that can fail has reported it by then. */
  #inBackground(work: Promise<void>): void {
    const done = work.catch(() => {}).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  #notify(event: QueueEvent): void {
    notify(this.#options.observers, event);
  }
}

/** What is needed to read a queue. */
export interface SqsQueueOptions extends QueueCallsOptions {
  readonly clock: Clock;
  /** Absent: only messages show AWS's time. */
  readonly time?: AwsTime;
  readonly hooks: LifecycleHooks;
  readonly read: (body: string) => EventReading;
  readonly foreign: ForeignEvents;
  /** How long before the scheduled maintenance its nodes are drained, in milliseconds. */
  readonly maintenanceLeadMs: number;
  /** Nothing is deleted, completed or kept waiting. */
  readonly dryRun: boolean;
  /** Absent: recommendations start no drain. */
  readonly recommendations?: Recommendations;
  /** What happens to machines that return. Absent: their controllers have to register them. */
  readonly returning?: Pick<ReturningMachines, "settled" | "isOver" | "waiting">;
  /** The accounts and regions in which nodes are drained. Absent: events of any are accepted. */
  readonly places?: readonly EventPlace[];
  /** The largest number of messages whose drains run. Others stay in the queue for other readers. */
  readonly inFlightMax?: number;
  readonly observers: readonly SourceObserver[];
  /** The process has to end, and all calls are aborted soon. */
  readonly abandon: AbortSignal;
}
