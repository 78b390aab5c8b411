import { asDrainError, type DrainError } from "../drain/errors.ts";
import { DELAY_SECONDS_MAX } from "./queue-calls.ts";

/**
 * AWS hides a message for 12 hours at most, counted from its receipt.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
 */
const HIDDEN_SECONDS_MAX = 12 * 3_600 - 60;
/**
 * One that comes again is replaced by a copy: a queue keeps a message for 14 days at most, and gives it to the dead-letter
 * queue after a few receipts. Notices come weeks ahead.
 */
const RECEIVES_MAX = 1;

export interface PostponedMessage {
  readonly body: string;
  /** How often it was received, this time included. */
  readonly receives: number;
}

/** What is done with a message about something that is not due yet. */
export interface PostponeCalls {
  readonly hide: (seconds: number) => Promise<void>;
  readonly send: (body: string, delaySeconds: number) => Promise<void>;
}

/**
 * Keeps a message in its queue until it is due: hidden, and by a copy of itself once that ends. It is in the queue all the
 * while, whichever process ends. Answers what is to be done with the message itself: a copy takes its place (`delete`), or
 * it stays (`hidden`). Throws `DrainError` where AWS takes neither.
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
  await send(body, Math.min(DELAY_SECONDS_MAX, seconds));
  return "delete";
}

/** Whether AWS would refuse to take a copy the next time, too: then the message must not wait until it is lost. */
export function canNotBePostponed(error: unknown): DrainError | undefined {
  const failure = asDrainError(error);
  return failure.isPassing ? undefined : failure;
}
