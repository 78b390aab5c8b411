import { newAbort, onAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import type { DrainError } from "../drain/errors.ts";
import type { Purpose, Urgency } from "../drain/urgency.ts";
import { UrgencyQueue } from "../drain/urgency-queue.ts";

/** Makes the call. It calls `about` once, when the call is sent. A later caller waits for the next one. */
type Make<A, T> = (about: () => readonly A[], by: CallFor) => Promise<T>;

/** A caller that waits for the answer, and what it wants to know. */
interface Ask<A> {
  readonly about: A;
  readonly by: CallFor;
}

interface Open<A, T> {
  readonly asks: UrgencyQueue<Ask<A>>;
  readonly abandon: AbortController;
  readonly answer: Promise<T>;
  /** Milliseconds since the epoch. Absent until it is sent. */
  sentAt?: number;
}

const NO_CALLER: Urgency = { purpose: "refresh", deadline: Number.POSITIVE_INFINITY };

/** AWS answers sooner. A caller waits at most this long for a call that is in flight already. */
const GATHERS_MAX_MS = 500;
/**
 * Callers that only confirm what is known wait this long after the call before, so that nodes that leave one by one
 * share a call.
 */
const PATIENT_MS = 1_000;
const PATIENT: ReadonlySet<Purpose> = new Set(["confirm", "verify", "refresh"]);

/** One call to the cloud for all that ask before it is sent, as urgent as the most urgent of them. */
export class SharedCall<A, T> {
  readonly #make: Make<A, T>;
  readonly #clock: Clock | undefined;
  /** Not sent yet. */
  #open: Open<A, T> | undefined;
  /** The last call that was sent, until it is answered. */
  #sent: Open<A, T> | undefined;
  #lastSentAt = Number.NEGATIVE_INFINITY;

  /**
   * `clock`: a caller that asks while a call is in flight waits for its answer, at most half a second, so that callers
   * that come one by one share the next call. Callers that only confirm something wait a second after it. Absent: the
   * next call is made at once.
   */
  constructor(make: Make<A, T>, clock?: Clock) {
    this.#make = make;
    this.#clock = clock;
  }

  /**
   * The answer to a call that is sent after this one. A caller whose signal aborts leaves, and the last one aborts the
   * call.
   */
  ask(about: A, by: CallFor): Promise<T> {
    return this.#join(by, about, undefined);
  }

  /**
   * As `ask`. A call in flight is sufficient if it was sent at `since` (milliseconds since the epoch) or later. For
   * calls that are about the same thing for every caller. The constructor needs a `clock`.
   */
  askSince(since: number, about: A, by: CallFor): Promise<T> {
    const { sentAt = Number.NEGATIVE_INFINITY, abandon } = this.#sent ?? {};
    return this.#join(by, about, sentAt >= since && abandon?.signal.aborted === false ? this.#sent : undefined);
  }

  #join(by: CallFor, about: A, inFlight: Open<A, T> | undefined): Promise<T> {
    const { signal } = by;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const ask: Ask<A> = { about, by };
      const shared = inFlight ?? this.#open;
      const { asks, abandon, answer } = shared ?? this.#begin(ask);
      if (shared !== undefined) asks.add(ask);
      const leave = () => {
        asks.delete(ask);
        if (asks.size === 0) abandon.abort(signal.reason);
        reject(signal.reason);
      };
      const stay = onAbort(signal, leave);
      const over = () => {
        stay();
        // What announces the caller's rises may outlive the call, and would keep everything that this holds.
        asks.delete(ask);
      };
      answer.then(
        (value) => {
          over();
          resolve(value);
        },
        (error: unknown) => {
          over();
          reject(error);
        },
      );
    });
  }

  /** `make` may call `about` before it waits for anything, so all of this must be in place by then. */
  #begin(first: Ask<A>): Open<A, T> {
    const asks = new UrgencyQueue<Ask<A>>();
    asks.add(first);
    const abandon = newAbort();
    let settle: (answer: Promise<T>) => void = () => {};
    const answer = new Promise<T>((resolve) => {
      settle = resolve;
    });
    const open: Open<A, T> = { asks, abandon, answer };
    this.#open = open;
    const urgency = () => asks.first?.urgency ?? NO_CALLER;
    const close = () => {
      if (this.#open === open) this.#open = undefined;
    };
    const send = () => {
      if (this.#open === open) this.#underWay(open);
      close();
      return [...asks].map(({ about }) => about);
    };
    abandon.signal.addEventListener("abort", close, { once: true });
    const repeats = (error: DrainError) => {
      for (const { by } of asks) by.repeats?.(error);
    };
    const drains = () => new Set([...asks].flatMap(({ by }) => [...(by.drains?.() ?? [])]));
    const call = { urgency, onRise: asks.onRise, signal: abandon.signal, repeats, drains };
    const turn = this.#turn(asks, abandon.signal);
    const made = async () => {
      if (turn !== undefined) await turn;
      return this.#make(send, call);
    };
    settle(made());
    // The call may fail before it is sent.
    answer.catch(() => {}).finally(close);
    return open;
  }

  #underWay(open: Open<A, T>): void {
    this.#sent = open;
    if (this.#clock !== undefined) {
      open.sentAt = this.#clock.now();
      this.#lastSentAt = open.sentAt;
    }
    const over = () => {
      if (this.#sent === open) this.#sent = undefined;
    };
    open.answer.then(over, over);
  }

  /** When the next call may be made. Undefined: now. Rejects with the signal's reason. */
  #turn(asks: UrgencyQueue<Ask<A>>, signal: AbortSignal): Promise<void> | undefined {
    if (this.#clock === undefined) return undefined;
    const { answer } = this.#sent ?? {};
    if (answer === undefined && this.#patientMs(asks, this.#clock) <= 0) return undefined;
    return this.#gathered(asks, answer, signal, this.#clock);
  }

  async #gathered(
    asks: UrgencyQueue<Ask<A>>,
    answer: Promise<T> | undefined,
    signal: AbortSignal,
    clock: Clock,
  ): Promise<void> {
    const sleep = async (ms: number, wakeOn: (wake: () => void) => unknown) => {
      const woken = newAbort();
      wakeOn(() => woken.abort(WOKEN));
      await withAnyOf([signal, woken.signal], (either) => clock.sleep(ms, either)).catch(() => signal.throwIfAborted());
    };
    if (answer !== undefined) await sleep(GATHERS_MAX_MS, (wake) => answer.then(wake, wake));
    for (let ms = this.#patientMs(asks, clock); ms > 0; ms = this.#patientMs(asks, clock)) {
      let forget = () => {};
      await sleep(ms, (wake) => {
        forget = asks.onRise(wake);
      }).finally(() => forget());
    }
  }

  /** How long the callers can wait for further ones, in milliseconds. */
  #patientMs(asks: UrgencyQueue<Ask<A>>, clock: Clock): number {
    const { urgency } = asks.first ?? {};
    return urgency !== undefined && PATIENT.has(urgency.purpose) ? this.#lastSentAt + PATIENT_MS - clock.now() : 0;
  }
}
