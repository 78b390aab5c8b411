import { jointly, type Settlement } from "./settlement.ts";

/** A message is invisible to other readers for this long. AWS's cap, and a little less because it counts from its receive. */
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

  /** Of the latest delivery, by which alone AWS deletes. */
  get handle(): string {
    return this.#handle;
  }

  /** How long it may still be hidden, in milliseconds; 0 once it was returned to the queue. */
  hideableMs(now: number): number {
    return Math.max(0, this.#hiddenUntil - now);
  }

  returned(): void {
    this.#hiddenUntil = Number.NEGATIVE_INFINITY;
  }

  get isReturned(): boolean {
    return this.#hiddenUntil === Number.NEGATIVE_INFINITY;
  }

  /** Delivered again: it may be hidden for as long as at first. */
  redelivered(handle: string, now: number): void {
    this.#handle = handle;
    this.#hiddenUntil = now + HIDDEN_MAX_MS;
  }

  /** What becomes of it is decided. */
  get isDone(): boolean {
    return this.#results.length >= this.instanceIds.length;
  }

  /** One of its announcements is done with. Answers what becomes of the message, once that is known of all. */
  done(result: Settlement["message"]): Settlement["message"] | undefined {
    this.#results.push(result);
    return this.isDone ? jointly(this.#results) : undefined;
  }
}
