import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import type { MessageInFlight } from "./in-flight.ts";
import type { QueueCalls } from "./queue-calls.ts";
import type { QueueEvent } from "./source-events.ts";

/** How soon somebody else gets what a process has left that died. */
export const VISIBILITY_SECONDS = 60;
/** Two extensions may fail, and the third still comes in time. */
const EXTEND_EVERY_MS = 20_000;

export interface VisibilityOptions {
  readonly calls: QueueCalls;
  readonly clock: Clock;
  /** All messages whose drains run. */
  readonly inFlight: () => Iterable<MessageInFlight>;
  readonly heard: (event: QueueEvent) => void;
}

/** Keeps messages from everybody else while their drains run. */
export class Visibility {
  readonly #options: VisibilityOptions;
  readonly #underWay = new Set<MessageInFlight>();
  readonly #failing = new WeakSet<MessageInFlight>();
  #keeping: AbortController | undefined;

  constructor(options: VisibilityOptions) {
    this.#options = options;
  }

  /** There is a message to keep. */
  begin(): void {
    if (this.#keeping !== undefined) return;
    this.#keeping = newAbort();
    this.#keep(this.#keeping.signal).catch(() => {}); // There is none any more.
  }

  /** There is no message to keep any more. */
  end(): void {
    this.#keeping?.abort();
    this.#keeping = undefined;
  }

  async #keep(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(EXTEND_EVERY_MS, signal);
      for (const message of this.#options.inFlight()) {
        if (message.isDone || message.isLetGo || this.#underWay.has(message)) continue;
        this.#underWay.add(message);
        void this.#extend(message, signal).finally(() => this.#underWay.delete(message));
      }
    }
  }

  /**
   * At AWS's cap of 12 hours the message is let go: whoever receives it next joins its drains, or begins others, for
   * another 12 hours.
   */
  async #extend(message: MessageInFlight, signal: AbortSignal): Promise<void> {
    const { calls, clock, heard } = this.#options;
    const keptSeconds = Math.floor(message.keptMs(clock.now()) / 1_000);
    const isOver = keptSeconds < VISIBILITY_SECONDS;
    try {
      if (isOver) {
        message.letGo();
        heard({ type: "kept-too-long", messageId: message.id });
      }
      await calls.changeVisibility(message.handle, isOver ? 0 : VISIBILITY_SECONDS, signal);
      this.#failing.delete(message);
    } catch (error) {
      if (signal.aborted || message.isDone || this.#failing.has(message)) return;
      this.#failing.add(message);
      heard({ type: "not-kept", messageId: message.id, error: asDrainError(error) });
    }
  }
}
