import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import { type DrainRequest, nodeReference, REASON_CHARACTERS_MAX } from "../drain/request.ts";
import type { Announcement, LifecycleAction } from "./announcement.ts";
import type { LifecycleHooks } from "./lifecycle-hooks.ts";
import { boundedDeadline } from "./notice.ts";
import { drainedNode, type Recommendations } from "./recommendations.ts";
import type { ReturningMachines } from "./returning.ts";
import type { Settlement } from "./settlement.ts";
import type { QueueEvent } from "./source-events.ts";

const EVENT_ID_CHARACTERS_MAX = 100;

/**
 * One announcement, and when it was made and tried. Times are by this machine's clock, in milliseconds since the epoch.
 */
export interface Announced {
  readonly announcement: Announcement;
  readonly since: number;
  /** When the machine may be gone. Absent: the announcement does not say. */
  readonly deadline?: number | undefined;
  /** When it was received for the first time. Absent: now. */
  readonly firstTriedAt?: number | undefined;
  /** The id of the message, or of the event if there was no message. Absent: it came from instance metadata. */
  readonly messageId?: string;
}

/**
 * What announced drains need in addition to the drainer. The queue, the function and the agent each pass their own.
 */
export interface AnnouncedDrainOptions {
  readonly clock: Clock;
  /** The hook is not changed. */
  readonly dryRun: boolean;
  /** Absent: no hook is completed. */
  readonly hooks?: Pick<LifecycleHooks, "deadlineOf" | "sendHeartbeats" | "complete"> | undefined;
  /** What happens to nodes that were drained on a recommendation. Absent: they stay deregistered. */
  readonly recommendations?: Pick<Recommendations, "followed" | "drainEnded"> | undefined;
  /** What happens to machines that return. Absent: their controllers have to register them. */
  readonly returning?: Pick<ReturningMachines, "settled" | "isOver"> | undefined;
  readonly onEvent?: (event: QueueEvent) => void;
}

/** The answer of Auto Scaling about an announcement, before its drain begins. */
export interface ScalingAnswer {
  /** When its hook ends, whatever the number of heartbeats. Absent: it has none, or AWS does not answer in time. */
  readonly hookDeadline?: number | undefined;
  /** The machine was away and has returned already. It must not be drained. */
  readonly isBack: boolean;
}

/** How the end of a drain is settled. */
export interface Ending {
  /** Ends the wait for a departure or a return. */
  readonly stop: AbortSignal;
  /** Completes the hook within the time that there is for it. */
  readonly limited: (work: (signal: AbortSignal) => Promise<void>) => Promise<void>;
  /** The drain has ended, and only the wait for a departure or a return continues. */
  readonly onAwaiting?: () => void;
}

/** Whether Auto Scaling has to be asked before the drain begins. */
export function asksScaling({ lifecycleAction, returns }: Announcement): boolean {
  return lifecycleAction !== undefined || returns === true;
}

/** An answer that comes too late changes nothing, because the drain has no time either. Never rejects. */
export async function scalingAnswer(
  { announcement, since }: Announced,
  { hooks, returning, dryRun }: AnnouncedDrainOptions,
  signal: AbortSignal,
): Promise<ScalingAnswer> {
  const { lifecycleAction: action, instanceId, returns } = announcement;
  const outOfTime = () => undefined;
  const [hookDeadline, isBack = false] = await Promise.all([
    action && hooks?.deadlineOf(action, since, signal).catch(outOfTime),
    returns && !dryRun ? returning?.isOver(instanceId, since, signal).catch(outOfTime) : false,
  ]);
  return { hookDeadline, isBack };
}

/**
 * The drain for one announcement, and what waits for its end: the lifecycle hook, and the message or notice. Heartbeats
 * keep the hook waiting from the beginning.
 */
export class AnnouncedDrain {
  readonly request: DrainRequest;
  readonly #announcement: Announcement;
  readonly #options: AnnouncedDrainOptions;
  readonly #action: LifecycleAction | undefined;
  /** Ends the heartbeats. Absent: no hook waits. */
  readonly #waits: AbortController | undefined;
  readonly #heartbeats: Promise<void> | undefined;

  constructor(announced: Announced, { hookDeadline }: Partial<ScalingAnswer>, options: AnnouncedDrainOptions) {
    const { announcement, since, messageId } = announced;
    const { clock, dryRun, hooks, recommendations, onEvent } = options;
    const { instanceId, lifecycleAction: action } = announcement;
    this.#announcement = announcement;
    this.#options = options;
    const deadline = boundedDeadline([announced.deadline, hookDeadline], clock.now());
    const { firstTriedAt } = announced;
    this.request = announcedRequest(announcement, { deadline, dryRun, firstTriedAt, saidAt: since });
    if (messageId !== undefined)
      onEvent?.({ type: "announced", messageId, announcement, ...(deadline === undefined ? {} : { deadline }) });
    if (!announcement.isVoluntary) recommendations?.followed(instanceId);
    if (hooks === undefined || action === undefined || dryRun) return;
    this.#action = action;
    this.#waits = newAbort();
    this.#heartbeats = hooks.sendHeartbeats({ action, instanceId }, since, this.#waits.signal);
  }

  /** The drain has ended, with any result. Resolves when no heartbeat is being sent. */
  async ended(): Promise<void> {
    this.#waits?.abort(WOKEN);
    await this.#heartbeats;
  }

  /** There is something to undo, unless the machine goes after all. */
  awaitsDeparture(outcome: DrainOutcome): boolean {
    const { isVoluntary, instanceId } = this.#announcement;
    return (
      isVoluntary === true &&
      this.#options.recommendations !== undefined &&
      drainedNode(instanceId, outcome) !== undefined
    );
  }

  /**
   * Acts on the end of the drain, and returns what happens to the message. The hook is completed first: if the message
   * were deleted first, the hook would stay incomplete if the process ended then. Throws `DrainError`.
   */
  async settle(outcome: DrainOutcome, settlement: Settlement, ending: Ending): Promise<Settlement["message"]> {
    const { instanceId, isVoluntary, returns } = this.#announcement;
    const { hooks, recommendations, returning } = this.#options;
    const { stop, limited, onAwaiting } = ending;
    const drained = drainedNode(instanceId, outcome);
    const action = this.#action;
    const isAwaited = isVoluntary === true && drained !== undefined && recommendations !== undefined;
    if (!isAwaited && settlement.hook === "continue" && action !== undefined && hooks !== undefined)
      await limited((signal) => hooks.complete({ action, instanceId }, signal));
    try {
      if (isAwaited) {
        const followed = recommendations.drainEnded(drained, stop);
        onAwaiting?.();
        await followed;
        return "delete";
      }
      if (returns && settlement.message === "delete" && drained !== undefined && returning !== undefined) {
        const returned = returning.settled({ ...drained, outcome }, stop);
        onAwaiting?.();
        await returned;
      }
    } catch (error) {
      // The next reader continues to wait for the departure, or the return.
      if (stop.aborted) return "release";
      throw error;
    }
    return settlement.message;
  }
}

/**
 * The request to the drainer for an announcement. Times are by this machine's clock, in milliseconds since the epoch.
 * Throws `RangeError` for a malformed id.
 */
export function announcedRequest(
  { kind, instanceId, eventId, isVoluntary, holdsWhile, reason }: Announcement,
  {
    deadline,
    dryRun,
    firstTriedAt,
    saidAt,
  }: {
    readonly deadline?: number | undefined;
    readonly dryRun: boolean;
    readonly firstTriedAt?: number | undefined;
    /** When the announcement was made. */
    readonly saidAt?: number | undefined;
  },
): DrainRequest {
  const event = eventId === undefined ? {} : { event: printable(eventId, EVENT_ID_CHARACTERS_MAX) };
  return {
    node: nodeReference("id", instanceId),
    reason: printable(reason, REASON_CHARACTERS_MAX - 1),
    asker: { via: kind, ...event },
    dryRun,
    ...(deadline === undefined ? {} : { deadline }),
    ...(isVoluntary === undefined ? {} : { isVoluntary }),
    ...(firstTriedAt === undefined ? {} : { firstTriedAt }),
    ...(holdsWhile && { holdsWhile: { machine: holdsWhile, ...(saidAt === undefined ? {} : { saidAt }) } }),
  };
}
