import type { Clock } from "../drain/clock.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import { backOffMs } from "../drain/limit.ts";
import type { QueueCalls, ReceivedMessage } from "./queue-calls.ts";
import type { QueueEvent } from "./source-events.ts";
import { VISIBILITY_SECONDS } from "./visibility.ts";

export interface ReceiverOptions {
  readonly calls: QueueCalls;
  readonly clock: Clock;
  readonly onEvent: (event: QueueEvent) => void;
}

/** After an empty answer that came without a wait, the queue is not read again at once. */
const EMPTY_MIN_MS = 1_000;
const RETRY = { firstMs: 5_000, maxMs: 60_000 };

/** Why nothing can be received, and when it was last tried, in milliseconds since the epoch. */
export interface ReceiveTrouble {
  readonly error: DrainError;
  readonly at: number;
}

/** Reads messages from a queue without end. A queue that fails, or does not exist, may work later. */
export class Receiver {
  readonly #options: ReceiverOptions;
  #trouble: ReceiveTrouble | undefined;
  #isKnown = false;
  #lastReadAt: number | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Why nothing was received recently. */
  get trouble(): ReceiveTrouble | undefined {
    return this.#trouble;
  }

  /** Whether any attempt has ended. Before that it is unknown whether the queue can be read. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** When AWS has last answered, with or without messages, in milliseconds since the epoch. */
  get lastReadAt(): number | undefined {
    return this.#lastReadAt;
  }

  /**
   * At least one message, as soon as there is one. Rejects after `stop`, when AWS has answered or `cut` has aborted.
   */
  async next(stop: AbortSignal, cut: AbortSignal): Promise<readonly ReceivedMessage[]> {
    const { calls, clock } = this.#options;
    for (let failures = 0; ; ) {
      const askedAt = clock.now();
      try {
        const messages = await calls.receive(VISIBILITY_SECONDS, stop, cut);
        failures = 0;
        const isFirst = !this.#isKnown;
        this.#received();
        if (messages.length > 0) return messages;
        stop.throwIfAborted();
        // The first read does not wait.
        if (!isFirst && clock.now() - askedAt < EMPTY_MIN_MS) await clock.sleep(EMPTY_MIN_MS, stop);
      } catch (error) {
        stop.throwIfAborted();
        this.#failed(asDrainError(error));
        await clock.sleep(backOffMs(failures, RETRY), stop);
        failures += 1;
      }
    }
  }

  #received(): void {
    this.#isKnown = true;
    this.#lastReadAt = this.#options.clock.now();
    if (this.#trouble !== undefined) this.#options.onEvent({ type: "receiving" });
    this.#trouble = undefined;
  }

  #failed(error: DrainError): void {
    this.#isKnown = true;
    this.#trouble = { error, at: this.#options.clock.now() };
    this.#options.onEvent({ type: "not-receiving", error });
  }
}
