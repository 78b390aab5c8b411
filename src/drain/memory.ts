import { type Stamped, stampedAt } from "./clock-stamp.ts";
import { keyOf, type Registration } from "./cloud-provider.ts";
import type { HeldAtEnd, LedgerEntry, RecordedOutcome, RememberedDrain } from "./ledger.ts";
import type { AskedRequest } from "./request.ts";

/**
 * Longer than any hold, in milliseconds: AWS accepts a deregistration delay of 3,600 s, and an idle timeout of 6,000 s for the listener
 * of a Gateway Load Balancer. After that every hold of an ended drain is over.
 */
export const HOLD_MAX_MS = 7_200_000;
/** The longest deregistration delay: for a hold whose length was not known yet when its drain ended. */
const DELAY_MAX_MS = 3_600_000;
/** The number of events whose first request a drain remembers. If there are more, it says that it does not know. */
const FIRST_TRIES_MAX = 200;

/** Collects what is remembered of one drain, from its entries in their order. */
export class DrainMemory implements RememberedDrain {
  readonly drain: string;
  readonly startedAt: number;
  readonly first: Stamped;
  /** By number. Emptied when it is not needed any more. */
  #found: (Registration | undefined)[] = [];
  #firstTries: readonly string[] = [];
  #hasSearched = false;
  #end: RememberedDrain["end"];
  #held: readonly HeldAtEnd[] = [];
  #lostHeldUntil: number | undefined;
  #registeredAgain: readonly string[] = [];

  constructor(accepted: Extract<LedgerEntry, { type: "accepted" }>) {
    this.drain = accepted.drain;
    this.startedAt = accepted.startedAt;
    this.first = stampedAt(accepted);
    this.#asked(accepted.request);
  }

  get hasSearched(): boolean {
    return this.#hasSearched;
  }

  get firstTries(): readonly string[] {
    return this.#firstTries;
  }

  get end(): RememberedDrain["end"] {
    return this.#end;
  }

  get held(): readonly HeldAtEnd[] {
    return this.#held;
  }

  get lostHeldUntil(): number | undefined {
    return this.#lostHeldUntil;
  }

  get registeredAgain(): readonly string[] {
    return this.#registeredAgain;
  }

  take(entry: LedgerEntry): void {
    switch (entry.type) {
      case "joined":
        this.#asked(entry.request);
        return;
      case "found":
        for (const [index, one] of entry.registrations.entries()) this.#found[entry.first + index] = one;
        return;
      case "planned":
        this.#hasSearched = true;
        return;
      case "deregistered": {
        const keys = new Set(this.#keysOf(entry.of));
        this.#registeredAgain = this.#registeredAgain.filter((key) => !keys.has(key));
        return;
      }
      case "registered":
        this.#registeredAgain = [...this.#registeredAgain, ...this.#keysOf(entry.of)];
        return;
      case "ended":
        this.#ended(entry, entry.outcome);
        return;
      default:
        return;
    }
  }

  /** All holds of the drain are over. */
  forgetHolds(): void {
    this.#found = [];
    this.#held = [];
    this.#lostHeldUntil = undefined;
    this.#registeredAgain = [];
  }

  #asked({ firstTriedAt, asker }: AskedRequest): void {
    const event = asker?.event;
    if (firstTriedAt !== undefined || event === undefined || this.#firstTries.includes(event)) return;
    if (this.#firstTries.length < FIRST_TRIES_MAX) this.#firstTries = [...this.#firstTries, event];
  }

  #ended(entry: Stamped, { status, registrations, searched }: RecordedOutcome): void {
    const { at } = entry;
    this.#end = { ...stampedAt(entry), status };
    this.#hasSearched ||= status === "drained" || status === "nothing-registered" || searched === true;
    this.#held = registrations.flatMap(({ of, state, heldMs, holdMs = DELAY_MAX_MS, cameBack }) => {
      if (state !== "holding") return [];
      // A drain may continue what an earlier one has deregistered, within the longest hold.
      const heldSince = at - heldMs < this.startedAt - HOLD_MAX_MS ? at : at - heldMs;
      const registration = this.#found[of];
      if (registration !== undefined) return [{ registration, heldSince, holdMs, cameBack }];
      this.#lostHeldUntil = Math.max(this.#lostHeldUntil ?? 0, heldSince + holdMs);
      return [];
    });
    if (this.#held.length === 0) this.#found = [];
  }

  #keysOf(numbers: readonly number[]): readonly string[] {
    return numbers.flatMap((number) => {
      const registration = this.#found[number];
      return registration === undefined ? [] : [keyOf(registration)];
    });
  }
}
