import { jointly, type Settlement } from "./settlement.ts";

/**
 * A message can be invisible to other readers for this long. It is AWS's limit, a little shorter because that counts
 * from the receipt.
 */
const HIDDEN_MAX_MS = 12 * 3_600_000 - 60_000;

/** One message whose drains run. */
export class MessageInFlight {
  readonly id: string;
  readonly instanceIds: readonly string[];
  readonly receives: number;
  #handle: string;
  #hiddenUntil: number;
  readonly #results: Settlement["message"][] = [];

  /** `now`: milliseconds since the epoch. */
  constructor(
    { id, handle, receives }: { readonly id: string; readonly handle: string; readonly receives: number },
    instanceIds: readonly string[],
    now: number,
  ) {
    this.id = id;
    this.#handle = handle;
    this.receives = receives;
    this.instanceIds = instanceIds;
    this.#hiddenUntil = now + HIDDEN_MAX_MS;
  }

  /** The handle of the latest delivery, the only one with which AWS deletes. */
  get handle(): string {
    return this.#handle;
  }

  /** How long it may still be hidden, in milliseconds. 0 after it was returned to the queue. */
  hideableMs(now: number): number {
    return Math.max(0, this.#hiddenUntil - now);
  }

  returned(): void {
    this.#hiddenUntil = Number.NEGATIVE_INFINITY;
  }

  get isReturned(): boolean {
    return this.#hiddenUntil === Number.NEGATIVE_INFINITY;
  }

  /** It was delivered again, so that it may be hidden for the whole time again. */
  redelivered(handle: string, now: number): void {
    this.#handle = handle;
    this.#hiddenUntil = now + HIDDEN_MAX_MS;
  }

  /** Whether it is decided what happens to it. */
  get isDone(): boolean {
    return this.#results.length >= this.instanceIds.length;
  }

  /** One of its announcements is settled. Returns what happens to the message, when all are settled. */
  done(result: Settlement["message"]): Settlement["message"] | undefined {
    this.#results.push(result);
    return this.isDone ? jointly(this.#results) : undefined;
  }
}
