import type { Clock } from "../drain/clock.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { Announcement } from "./announcement.ts";
import { DELAY_SECONDS_MAX, type QueueCalls, type ReceivedMessage } from "./queue-calls.ts";
import type { QueueEvent } from "./source-events.ts";

/**
 * AWS hides a message for 12 hours at most, counted from its receipt.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
 */
const HIDDEN_SECONDS_MAX = 12 * 3_600 - 60;
/**
 * A redelivered message is replaced by a copy, because a queue keeps a message for 14 days at most, and moves it to the
 * dead-letter queue after a few receipts. Notices come weeks ahead.
 */
const RECEIVES_MAX = 1;

export interface PostponedMessage {
  readonly body: string;
  /** How often it was received, including this time. */
  readonly receives: number;
}

/** The calls for a message about something that is not due yet. */
export interface PostponeCalls {
  readonly hide: (seconds: number) => Promise<void>;
  readonly send: (body: string, delaySeconds: number) => Promise<void>;
}

/**
 * If the queue accepts no copy, the next attempt is this much later, because the dead-letter queue counts each attempt
 * as a receipt.
 */
const TRIED_AGAIN_SECONDS = 3_600;
/** By then the message is acted upon, before it could be lost. */
const TRIED_MAX = 4;

/** Whether a message that was received this often may still wait. */
export function canWait(receives: number): boolean {
  return receives <= TRIED_MAX;
}

/**
 * Keeps a message in its queue until it is due: hidden, and as a copy of itself when the hiding ends. It is in the
 * queue all the time, whichever process ends. Returns what to do with the message itself: a copy replaces it
 * (`delete`), or it stays (`hidden`). Throws `DrainError` if it must not wait: AWS does not allow to send a copy, or
 * has failed too often.
 */
export async function postpone(
  { body, receives }: PostponedMessage,
  forMs: number,
  { hide, send }: PostponeCalls,
): Promise<"delete" | "hidden"> {
  const seconds = Math.ceil(forMs / 1_000);
  if (receives <= RECEIVES_MAX) {
    await hide(Math.min(HIDDEN_SECONDS_MAX, seconds));
    return "hidden";
  }
  // First, because a call that AWS does not answer lasts longer than the message is hidden after its receipt.
  await hide(Math.min(TRIED_AGAIN_SECONDS, seconds));
  try {
    await send(body, Math.min(DELAY_SECONDS_MAX, seconds));
    return "delete";
  } catch (error) {
    const failure = asDrainError(error);
    if (failure.code === "access-denied" || receives >= TRIED_MAX) throw failure;
    return "hidden";
  }
}

export interface PostponingOptions {
  readonly calls: Pick<QueueCalls, "changeVisibility" | "send" | "delete">;
  readonly clock: Clock;
  readonly onEvent: (event: QueueEvent) => void;
  /** Calls AWS within the time that a message may take. */
  readonly limited: (work: (signal: AbortSignal) => Promise<void>) => Promise<void>;
}

/** Keeps the messages of one queue in the queue until they are due. */
export class Postponing {
  readonly #options: PostponingOptions;
  #trouble: DrainError | undefined;

  constructor(options: PostponingOptions) {
    this.#options = options;
  }

  /**
   * Whether a message that was received this often may wait. If AWS accepts no copies, none may, because it would be
   * lost.
   */
  canWait(receives: number): boolean {
    return this.#trouble === undefined && canWait(receives);
  }

  /** `until`: in milliseconds since the epoch. Never rejects: whatever fails, the message is redelivered. */
  async postpone(received: ReceivedMessage, announcements: readonly Announcement[], until: number): Promise<void> {
    const { calls, clock, onEvent, limited } = this.#options;
    const { id: messageId, handle, receives } = received;
    onEvent({ type: "postponed", messageId, announcements, until });
    try {
      await limited(async (signal) => {
        const result = await postpone(received, until - clock.now(), {
          hide: (seconds) => calls.changeVisibility(handle, seconds, signal),
          send: (body, seconds) => calls.send(body, seconds, signal),
        });
        if (result === "delete") await calls.delete(handle, signal);
      });
    } catch (error) {
      const failure = asDrainError(error);
      const isRedelivered = receives <= RECEIVES_MAX;
      onEvent({ type: isRedelivered ? "not-settled" : "not-postponed", messageId, error: failure });
      if (isRedelivered) return;
      if (failure.code === "access-denied") this.#trouble = failure;
      // It is drained for when it is received again.
      await limited((signal) => calls.changeVisibility(handle, 0, signal)).catch(() => {});
    }
  }
}
