import { randomBytes } from "node:crypto";
import { newAbort, WOKEN, whenAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { type CallFor, type FoundRegistrations, keyOf, type Node, type Registration } from "./cloud-provider.ts";
import {
  DrainingRegistration,
  fatesOf,
  lastHoldBegins,
  type RegistrationEvent,
  type RegistrationOwner,
} from "./draining-registration.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { Refused } from "./guard.ts";
import type { HoldAllowances } from "./hold.ts";
import { LimitPassed } from "./limit.ts";
import {
  ABANDONED,
  CANCELLED,
  type DrainOutcome,
  endedOutcome,
  type RunningDrain,
  type StopReason,
  stoppedOutcome,
} from "./outcome.ts";
import type { PastOf } from "./past.ts";
import {
  type DrainPlan,
  type DrainTimes,
  deadlineLimit,
  drainLimit,
  type LongestHold,
  type Patience,
  timeoutLimit,
} from "./plan.ts";
import { type AskedRequest, JointRequest } from "./request.ts";

const SEARCH_MAX_MS = 600_000;

export interface DrainRunOptions {
  readonly id: string;
  readonly node: Node;
  /** When the first request came, in milliseconds since the epoch. */
  readonly startedAt: number;
  readonly clock: Clock;
  readonly times: DrainTimes;
  /** Whether a guard may refuse it. */
  readonly isGuarded: boolean;
  /** The events of its registrations. */
  readonly onEvent: (run: DrainRun, registration: Registration, event: RegistrationEvent) => void;
}

/** A caller that waits for the outcome. */
interface Waiter extends Patience {
  readonly answer: (outcome: DrainOutcome) => void;
}

/** One node's drain, shared by every request for that node: its limit, those who wait for it, and how it ends. */
export class DrainRun implements RegistrationOwner {
  readonly id: string;
  /** As it was last looked for. */
  node: Node;
  readonly startedAt: number;
  /** What everybody who waits has asked for. */
  readonly asked: JointRequest;
  isRefused = false;
  readonly #clock: Clock;
  readonly #times: DrainTimes;
  readonly #stop = newAbort();
  readonly #waiters = new Set<Waiter>();
  readonly #onEvent: DrainRunOptions["onEvent"];
  readonly #registrations: DrainingRegistration[] = [];
  /** Where the configured discovery leaves the node registered. */
  readonly elsewhere: Registration[] = [];
  #planned: { readonly longestHoldMs: number; readonly at: number } | undefined;
  #searched = false;
  /** Why the search, or what the guard wants to know, is not done yet, where a call of it is being repeated. */
  #trouble: DrainError | undefined;
  #mustEndBy = Number.POSITIVE_INFINITY;
  #onMove: () => void = () => {};
  #timer = newAbort();
  #outcome: Promise<DrainOutcome> | undefined;

  constructor({ id, node, startedAt, clock, times, isGuarded, onEvent }: DrainRunOptions) {
    this.id = id;
    this.node = node;
    this.startedAt = startedAt;
    this.#clock = clock;
    this.#times = times;
    this.asked = new JointRequest({ isGuarded });
    this.#onEvent = onEvent;
  }

  /** Aborts when the deadline has passed, or when no caller waits for the outcome any more. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The earliest of all requests. Absent: no request has one. */
  get deadline(): number | undefined {
    return this.asked.deadline;
  }

  get waiting(): readonly Patience[] {
    return [...this.#waiters];
  }

  /** So far: those that are found later are added. */
  get registrations(): readonly DrainingRegistration[] {
    return this.#registrations;
  }

  get allowances(): HoldAllowances {
    return this.#times.allowances;
  }

  /** By what others have said, not by our own reckoning of how long it should take. */
  get mustEndBy(): number {
    return this.#mustEndBy;
  }

  /**
   * Until when a search that fails in passing is made again: the drain's limit. Without one, a caller is
   * reported at once, unless something is deregistered already: that is held to its end.
   */
  get searchUntil(): number {
    if (Number.isFinite(this.#mustEndBy)) return this.#mustEndBy;
    const hasBegun = this.#registrations.length > 0 && !this.asked.isRefusable;
    return hasBegun ? this.startedAt + SEARCH_MAX_MS : Number.NEGATIVE_INFINITY;
  }

  /** The drain as a caller of the cloud. */
  callFor(signal: AbortSignal): CallFor {
    const repeats = (error: DrainError) => {
      this.#trouble = error;
    };
    return { urgency: () => ({ purpose: "find", deadline: this.#mustEndBy }), signal, repeats };
  }

  onEvent(registration: Registration, event: RegistrationEvent): void {
    this.#onEvent(this, registration, event);
  }

  moved(): void {
    this.#onMove();
  }

  /** How it stands now. */
  get report(): RunningDrain {
    const { id, startedAt, deadline, waiting } = this;
    const limit = drainLimit({ startedAt, deadline, waiting, times: this.#times, hold: this.#longestHold() });
    const registrations = this.#fates();
    return { drainId: id, startedAt, reasons: this.asked.reasons, ...(limit && { limit }), registrations };
  }

  /** `onEnd` runs before any waiting caller gets the outcome. */
  begin(work: (run: DrainRun) => Promise<void>, onEnd: (outcome: DrainOutcome) => void): void {
    // The end of its time ends a drain, whether or not what it waits for heeds the signal.
    this.#outcome = Promise.race([work(this), whenAborted(this.signal)])
      .then(
        () => endedOutcome(this.#identity, this.elsewhere, this.#fates()),
        (error: unknown) => this.#endedBy(error),
      )
      .then((outcome) => {
        this.#timer.abort(WOKEN);
        onEnd(outcome);
        return outcome;
      });
  }

  /** What an earlier search has found, by its key. */
  known(): ReadonlySet<string> {
    const registrations = this.#registrations.filter(({ wasReleased }) => !wasReleased);
    return new Set([...registrations.map(({ registration }) => registration), ...this.elsewhere].map(keyOf));
  }

  /** Returns the new registrations: those that are not `known`. */
  found(found: FoundRegistrations, known: ReadonlySet<string>, past?: PastOf): readonly DrainingRegistration[] {
    const isNew = (registration: Registration) => known.size === 0 || !known.has(keyOf(registration));
    const registrations = found.registrations
      .filter(isNew)
      .map((one) => new DrainingRegistration(this, one, past?.(one)));
    for (const draining of registrations) this.#registrations.push(draining);
    for (const registration of found.elsewhere) if (isNew(registration)) this.elsewhere.push(registration);
    return registrations;
  }

  /** Every pool has been asked; or the guard has allowed the drain: what kept it from that is over. */
  passed(what: "search" | "guard"): void {
    this.#searched ||= what === "search";
    this.#trouble = undefined;
  }

  planned({ longestHoldMs }: Pick<DrainPlan, "longestHoldMs">): void {
    this.#planned = { longestHoldMs, at: this.#clock.now() };
    this.#armLimits();
  }

  /** Resolves when `isSo` of every registration. */
  async untilAll(isSo: (draining: DrainingRegistration) => boolean): Promise<void> {
    let next = 0;
    for (;;) {
      const draining = this.#registrations[next];
      if (draining === undefined) return;
      if (isSo(draining)) next += 1;
      else {
        await new Promise<void>((resolve) => {
          this.#onMove = resolve;
        });
      }
    }
  }

  /**
   * The outcome. The earliest deadline bounds the drain for all callers. A caller whose timeout passes gets `deadline-passed`,
   * and a caller whose `signal` aborts gets `abandoned`, each at once; the drain continues while a caller waits.
   */
  join(request: AskedRequest, signal: AbortSignal): Promise<DrainOutcome> {
    const { askedAt, timeoutMs } = request;
    this.asked.add(request);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        askedAt,
        timeoutMs,
        answer: (outcome) => {
          signal.removeEventListener("abort", abandon);
          resolve(outcome);
        },
      };
      const abandon = () => this.#leave(waiter, ABANDONED);
      this.#waiters.add(waiter);
      this.#armLimits();
      if (signal.aborted) abandon();
      else signal.addEventListener("abort", abandon, { once: true });
      this.#outcome?.then(waiter.answer, reject);
    });
  }

  /** Ends the drain for everybody. Resolves with its outcome, which may be another one, should it have ended just now. */
  async cancel(): Promise<DrainOutcome | undefined> {
    this.#stop.abort(CANCELLED);
    return this.#outcome;
  }

  /** The last to leave ends the drain, and gets its outcome. */
  #leave(waiter: Waiter, why: LimitPassed | typeof ABANDONED): void {
    if (!this.#waiters.delete(waiter)) return;
    if (this.#waiters.size === 0) this.#stop.abort(why);
    else waiter.answer(this.#unfinished(why));
  }

  /** Begins to wait for the limits as they are now; code that changes one calls this again. */
  #armLimits(): void {
    const { startedAt, deadline, waiting } = this;
    this.#mustEndBy = drainLimit({ startedAt, deadline, waiting, times: this.#times })?.at ?? Number.POSITIVE_INFINITY;
    this.#timer.abort(WOKEN);
    this.#timer = newAbort();
    this.#awaitLimits(this.#timer.signal).catch(() => {}); // The drain has ended, or a limit was changed.
  }

  async #awaitLimits(signal: AbortSignal): Promise<void> {
    while (!this.signal.aborted) {
      const now = this.#clock.now();
      const deadline = deadlineLimit({ startedAt: this.startedAt, deadline: this.deadline, times: this.#times });
      if (deadline !== undefined && deadline.at <= now) return this.#stop.abort(new LimitPassed(deadline));
      // Holds that begin again meanwhile move the timeouts: they are asked for again afterwards.
      const next = Math.min(deadline?.at ?? Number.POSITIVE_INFINITY, this.#dismiss(now));
      if (next === Number.POSITIVE_INFINITY) return;
      await this.#clock.sleep(next - now, signal);
    }
  }

  /** Answers the callers whose timeout has passed, and returns when the next one does. */
  #dismiss(now: number): number {
    const hold = this.#longestHold();
    let next = Number.POSITIVE_INFINITY;
    for (const waiter of [...this.#waiters]) {
      const limit = timeoutLimit(waiter, this.#times, hold);
      if (limit === undefined) continue;
      if (limit.at <= now) this.#leave(waiter, new LimitPassed(limit));
      else next = Math.min(next, limit.at);
    }
    return next;
  }

  #longestHold(): LongestHold | undefined {
    if (this.#planned === undefined) return undefined;
    const { longestHoldMs: longestMs, at } = this.#planned;
    const now = this.#clock.now();
    const isBounded = Number.isFinite(this.#mustEndBy);
    return { longestMs, since: Math.max(at, lastHoldBegins(this.#registrations, { longestMs, now, isBounded })) };
  }

  #endedBy(error: unknown): DrainOutcome {
    const reason: unknown = this.#stop.signal.reason;
    if (reason === ABANDONED || reason === CANCELLED || reason instanceof LimitPassed) return this.#unfinished(reason);
    if (error instanceof Refused) return { ...this.#identity, status: "refused", refusal: error.refusal };
    return { ...this.#identity, registrations: this.#fates(), status: "failed", error: asDrainError(error) };
  }

  #unfinished(why: StopReason): DrainOutcome {
    const ended = { ...this.#identity, registrations: this.#fates() };
    return stoppedOutcome(why, ended, { searched: this.#searched, error: this.#trouble });
  }

  get #identity() {
    return { drainId: this.id, node: this.node };
  }

  #fates() {
    return fatesOf(this.#registrations, this.#clock.now());
  }
}

/** Short enough to read out, long enough not to repeat in a day's logs. */
export function newDrainId(): string {
  return `d-${randomBytes(5).toString("hex")}`;
}
