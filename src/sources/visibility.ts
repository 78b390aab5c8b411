import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import type { MessageInFlight } from "./in-flight.ts";
import type { QueueCalls } from "./queue-calls.ts";
import type { QueueEvent } from "./source-events.ts";

/** After this time another reader gets the messages of a process that has crashed. */
export const VISIBILITY_SECONDS = 60;
/** Two extensions may fail, and the third one is still in time. */
const EXTEND_EVERY_MS = 20_000;

export interface VisibilityOptions {
  readonly calls: QueueCalls;
  readonly clock: Clock;
  /** All messages whose drains run. */
  readonly inFlight: () => Iterable<MessageInFlight>;
  readonly onEvent: (event: QueueEvent) => void;
}

/** Keeps messages hidden from other consumers while their drains run. */
export class Visibility {
  readonly #options: VisibilityOptions;
  readonly #underWay = new Set<MessageInFlight>();
  #extending: AbortController | undefined;

  constructor(options: VisibilityOptions) {
    this.#options = options;
  }

  /** There is a message to hide. */
  begin(): void {
    if (this.#extending !== undefined) return;
    this.#extending = newAbort();
    this.#extendAll(this.#extending.signal).catch(() => {}); // There is none any more.
  }

  /** There is no message to hide any more. */
  end(): void {
    this.#extending?.abort();
    this.#extending = undefined;
  }

  async #extendAll(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(EXTEND_EVERY_MS, signal);
      for (const message of this.#options.inFlight()) {
        if (message.isDone || message.isReturned || this.#underWay.has(message)) continue;
        this.#underWay.add(message);
        void this.#extend(message, signal).finally(() => this.#underWay.delete(message));
      }
    }
  }

  /**
   * At AWS's limit of 12 hours the message is returned to the queue. Its next reader joins its drains, or begins
   * others, for another 12 hours.
   */
  async #extend(message: MessageInFlight, signal: AbortSignal): Promise<void> {
    const { calls, clock, onEvent } = this.#options;
    const hideableSeconds = Math.floor(message.hideableMs(clock.now()) / 1_000);
    const isOver = hideableSeconds < VISIBILITY_SECONDS;
    try {
      if (isOver) {
        message.returned();
        onEvent({ type: "hidden-too-long", messageId: message.id });
      }
      await calls.changeVisibility(message.handle, isOver ? 0 : VISIBILITY_SECONDS, signal);
    } catch (error) {
      if (signal.aborted || message.isDone) return;
      onEvent({ type: "not-hidden", messageId: message.id, error: asDrainError(error) });
    }
  }
}
