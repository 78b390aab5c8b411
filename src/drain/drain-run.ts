import { newAbort, onAbort, WOKEN, whenAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";
import {
  addressOf,
  type CallFor,
  type FoundRegistrations,
  keyOf,
  type Node,
  type Registration,
} from "./cloud-provider.ts";
import type { DrainSteps } from "./drain-steps.ts";
import { DrainingRegistration, lastHoldBegins, type RegistrationOwner, resultsOf } from "./draining-registration.ts";
import { asDrainError, DrainError } from "./errors.ts";
import type { EvictionResult } from "./eviction.ts";
import { Refused } from "./guard.ts";
import type { PastOf } from "./known-before.ts";
import { LimitPassed, TRIED_WITHOUT_LIMIT_MS } from "./limit.ts";
import {
  ABANDONED,
  type CANCELLED,
  type DrainOutcome,
  endedOutcome,
  isStopReason,
  type RunningDrain,
  type StopReason,
  type Superseded,
  stoppedOutcome,
} from "./outcome.ts";
import {
  type DrainLimit,
  type DrainPlan,
  type DrainTimes,
  deadlineLimit,
  earlier,
  type LongestHold,
  type Patience,
} from "./plan.ts";
import { evictionAfter } from "./registration-state.ts";
import { type AskedRequest, JointRequest } from "./request.ts";
import type { Step } from "./steps.ts";
import { Rises } from "./urgency.ts";
import { type Waiter, Waiters } from "./waiters.ts";

const SEARCH_MAX_MS = 600_000;

export interface DrainRunOptions {
  readonly id: string;
  readonly node: Node;
  /** When the first request arrived, in milliseconds since the epoch. */
  readonly startedAt: number;
  readonly clock: Clock;
  readonly cloud: RegistrationOwner["cloud"];
  readonly times: DrainTimes;
  /** Whether a guard may refuse the drain. */
  readonly isGuarded: boolean;
  readonly steps: DrainSteps;
}

/**
 * The drain of one node, shared by every request for that node: its limit, the callers that wait for it, and how it
 * ends.
 */
export class DrainRun implements RegistrationOwner {
  readonly id: string;
  /** The node as it was described last. */
  node: Node;
  readonly startedAt: number;
  readonly cloud: RegistrationOwner["cloud"];
  /** What the waiting callers have requested together. */
  readonly asked: JointRequest;
  /** Resolves when the drain can't be refused any more. Stays pending if it is refused. */
  readonly begun: Promise<void>;
  #begun: () => void = () => {};
  isRefused = false;
  /** Announces each change of `mustEndBy` and `isRefused`. */
  readonly rises = new Rises();
  /** The cluster has not answered within its time. */
  isClusterSilent = false;
  readonly #clock: Clock;
  readonly #times: DrainTimes;
  readonly #stop = newAbort();
  readonly #waiters: Waiters;
  readonly steps: DrainSteps;
  readonly #registrations: DrainingRegistration[] = [];
  /** Where the node stays registered, or may be registered: see `FoundRegistrations`. */
  readonly elsewhere: Registration[] = [];
  /** What the search could not read. */
  readonly warnings = new Set<string>();
  #planned: { readonly longestHoldMs: number; readonly at: number } | undefined;
  #searched = false;
  #eviction: EvictionResult | undefined;
  /** Milliseconds since the epoch. */
  #evictingUntil = 0;
  /** Why the search, or a read of the guard, has not finished yet: the failure of a call that is being retried. */
  #trouble: DrainError | undefined;
  #mustEndBy = Number.POSITIVE_INFINITY;
  readonly #onMove = new Set<() => void>();
  readonly #itself = () => [this.id];
  #timer = newAbort();
  #outcome: Promise<DrainOutcome> | undefined;

  constructor({ id, node, startedAt, clock, cloud, times, isGuarded, steps }: DrainRunOptions) {
    this.id = id;
    this.node = node;
    this.startedAt = startedAt;
    this.cloud = cloud;
    this.#clock = clock;
    this.#times = times;
    this.#waiters = new Waiters(times);
    this.asked = new JointRequest({ isGuarded });
    const allowed = new Promise<void>((resolve) => {
      this.#begun = resolve;
    });
    this.begun = isGuarded ? Promise.race([allowed, this.asked.insisted]) : Promise.resolve();
    this.steps = steps;
  }

  /** Aborts when the deadline has passed, or when no caller waits for the outcome any more. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The earliest deadline of all requests. Absent: no request has a deadline. */
  get deadline(): number | undefined {
    return this.asked.deadline;
  }

  /** Resolves once it has ended. */
  get ended(): Promise<unknown> {
    return Promise.resolve(this.#outcome);
  }

  get waiting(): readonly Patience[] {
    return [...this.#waiters];
  }

  /** Those that were found so far. Later ones are added. */
  get registrations(): readonly DrainingRegistration[] {
    return this.#registrations;
  }

  /** Based on what others have stated, not on an estimate of how long the drain should take. */
  get mustEndBy(): number {
    return this.#mustEndBy;
  }

  /**
   * Until when a search with a temporary failure is retried: the drain's limit. Without a limit, the caller learns of
   * the failure soon, unless something was deregistered already. That is held to its end.
   */
  get searchUntil(): number {
    if (Number.isFinite(this.#mustEndBy)) return this.#mustEndBy;
    const hasBegun = this.#registrations.length > 0 && !this.asked.isRefusable;
    return this.startedAt + (hasBegun ? SEARCH_MAX_MS : TRIED_WITHOUT_LIMIT_MS);
  }

  /** The drain as a caller of the cloud. */
  callFor(signal: AbortSignal): CallFor {
    const repeats = (error: DrainError) => {
      this.#trouble = error;
    };
    const urgency = () => ({ purpose: "find", deadline: this.#mustEndBy }) as const;
    return { urgency, onRise: this.rises.on, signal, repeats, drains: this.#itself };
  }

  /** Records a change: writes it to the ledger, passes it to the observers, and applies it to the drain. */
  happened(step: Step): void {
    this.#eviction = evictionAfter(this.#eviction, step);
    if (step.type === "evict-failed") this.#trouble = step.error;
    if (step.type === "eviction-refused") {
      const { code, message } = step.error;
      this.#trouble = new DrainError(code, `${step.pod}: ${message}`, { cause: step.error });
    }
    this.steps.happened(step);
  }

  moved(): void {
    if (this.#onMove.size === 0) return;
    const waiting = [...this.#onMove];
    this.#onMove.clear();
    for (const wake of waiting) wake();
  }

  /** The result of the eviction of the node's pods. Absent: no eviction was requested. */
  get eviction(): EvictionResult | undefined {
    return this.#eviction;
  }

  /** The default timeout does not run while pods are being evicted. */
  evicting(isEvicting: boolean): void {
    this.#evictingUntil = isEvicting ? Number.POSITIVE_INFINITY : this.#clock.now();
    if (isEvicting) this.#armLimits();
    else this.#trouble = undefined;
  }

  /** The current state of the drain. */
  get report(): RunningDrain {
    const { id, startedAt } = this;
    const limit = earlier(this.#deadlineLimit, this.#waiters.last(this.#longestHold()));
    const registrations = this.#results();
    const sendsUntil = this.#sendsUntil();
    return {
      drainId: id,
      startedAt,
      reasons: this.asked.reasons,
      ...(limit && { limit }),
      registrations,
      ...(sendsUntil !== undefined && { sendsUntil }),
    };
  }

  /** See `RunningDrain`. */
  #sendsUntil(): number | undefined {
    const pods = new Set(this.node.podAddresses);
    const isPod = ({ registration }: DrainingRegistration) => pods.has(addressOf(registration) ?? "");
    const open = this.#registrations.filter((draining) => !draining.isOver && !isPod(draining));
    // Targets that were not found may have been deregistered unseen, until the drain begins to wait for that.
    if (this.#planned === undefined) return Number.POSITIVE_INFINITY;
    if (open.length === 0) return undefined;
    return Math.max(...open.map(({ holdUntil = Number.POSITIVE_INFINITY }) => holdUntil));
  }

  /** `onEnd` runs before any waiting caller gets the outcome. */
  begin(work: (run: DrainRun) => Promise<void>, onEnd: (outcome: DrainOutcome) => void): void {
    // A drain ends when its time has passed, even if the work that it waits for ignores the signal.
    this.#outcome = Promise.race([work(this), whenAborted(this.signal)])
      .then(
        () => endedOutcome(this.#identity, this.#searchedFor, this.#results()),
        (error: unknown) => this.#endedBy(error),
      )
      .then((outcome) => {
        this.#timer.abort(WOKEN);
        onEnd(outcome);
        return outcome;
      });
  }

  /** The keys of the registrations that an earlier search has found. */
  known(): ReadonlySet<string> {
    const registrations = this.#registrations.filter(({ wasReleased }) => !wasReleased);
    return new Set([...registrations.map(({ registration }) => registration), ...this.elsewhere].map(keyOf));
  }

  /** Adds registrations, and returns the new ones: those that are not `known`. */
  found(found: FoundRegistrations, known: ReadonlySet<string>, past?: PastOf): readonly DrainingRegistration[] {
    const isNew = (registration: Registration) => known.size === 0 || !known.has(keyOf(registration));
    const registrations = found.registrations
      .filter(isNew)
      .map((one) => new DrainingRegistration(this, one, past?.(one)));
    for (const draining of registrations) this.#registrations.push(draining);
    for (const registration of found.elsewhere) if (isNew(registration)) this.elsewhere.push(registration);
    if (found.warning !== undefined) this.warnings.add(found.warning);
    return registrations;
  }

  /** Every pool was read, or the guard has allowed the drain: the failure that delayed this is over. */
  passed(what: "search" | "guard"): void {
    if (what === "guard") this.#begun();
    this.#searched ||= what === "search";
    this.#trouble = undefined;
    this.steps.noticed({ type: "passed", what });
  }

  planned({ longestHoldMs }: Pick<DrainPlan, "longestHoldMs">): void {
    this.#planned = { longestHoldMs, at: this.#clock.now() };
    this.#learnLimit();
    this.#armLimits();
  }

  /** Resolves when `isSo` is true for every registration. */
  async untilAll(isSo: (draining: DrainingRegistration) => boolean): Promise<void> {
    let next = 0;
    for (;;) {
      const draining = this.#registrations[next];
      if (draining === undefined) return;
      if (isSo(draining)) next += 1;
      else {
        await new Promise<void>((resolve) => {
          this.#onMove.add(resolve);
        });
      }
    }
  }

  /**
   * Waits for the outcome. The earliest deadline limits the drain for all callers. A caller whose timeout passes gets
   * `deadline-passed` at once, and a caller whose `signal` aborts gets `abandoned` at once. The drain continues as long
   * as a caller waits.
   */
  join(request: AskedRequest, signal: AbortSignal): Promise<DrainOutcome> {
    const { askedAt, timeoutMs } = request;
    const before = this.deadline;
    this.asked.add(request);
    return new Promise((resolve, reject) => {
      let stay = () => {};
      const answer = (outcome: DrainOutcome) => {
        stay();
        resolve(outcome);
      };
      const waiter: Waiter = { askedAt, timeoutMs, answer };
      const mayBeNext = this.#waiters.add(waiter);
      this.#learnLimit();
      if (mayBeNext || this.deadline !== before) this.#armLimits();
      if (this.deadline !== before) this.moved();
      if (signal.aborted) this.#leave(waiter, ABANDONED);
      else stay = onAbort(signal, () => this.#leave(waiter, ABANDONED));
      this.#outcome?.then(waiter.answer, reject);
    });
  }

  /**
   * Ends the drain for all callers. Resolves with its outcome, which may be a different one if the drain has ended at
   * the same moment.
   */
  async end(why: typeof CANCELLED | Superseded): Promise<DrainOutcome | undefined> {
    this.#stop.abort(why);
    return this.#outcome;
  }

  /** When the last caller leaves, the drain ends, and this caller gets its outcome. */
  #leave(waiter: Waiter, why: LimitPassed | typeof ABANDONED): void {
    if (!this.#waiters.delete(waiter)) return;
    if (this.#waiters.size === 0) this.#stop.abort(why);
    else waiter.answer(this.#unfinished(why));
  }

  get #deadlineLimit(): DrainLimit | undefined {
    return deadlineLimit({ startedAt: this.startedAt, deadline: this.deadline, times: this.#times });
  }

  #learnLimit(): void {
    const before = this.#mustEndBy;
    this.#mustEndBy = earlier(this.#deadlineLimit, this.#waiters.last())?.at ?? Number.POSITIVE_INFINITY;
    if (this.#mustEndBy !== before) this.rises.announce();
  }

  /** Starts to wait for the current limits. Must be called again when a limit may pass sooner than before. */
  #armLimits(): void {
    this.#timer.abort(WOKEN);
    this.#timer = newAbort();
    this.#awaitLimits(this.#timer.signal).catch(() => {}); // The drain has ended, or a limit was changed.
  }

  async #awaitLimits(signal: AbortSignal): Promise<void> {
    while (!this.signal.aborted) {
      const now = this.#clock.now();
      const deadline = this.#deadlineLimit;
      if (deadline !== undefined && deadline.at <= now) return this.#stop.abort(new LimitPassed(deadline));
      // Holds that begin again meanwhile extend the timeouts, so the timeouts are read again afterwards.
      const next = Math.min(deadline?.at ?? Number.POSITIVE_INFINITY, this.#dismiss(now));
      if (next === Number.POSITIVE_INFINITY) return;
      await this.#clock.sleep(next - now, signal);
    }
  }

  /** Answers the callers whose timeout has passed, and returns when the next timeout passes. */
  #dismiss(now: number): number {
    const hold = this.#longestHold();
    for (;;) {
      const next = this.#waiters.next(hold);
      if (next === undefined) return Number.POSITIVE_INFINITY;
      if (next.limit.at > now) return next.limit.at;
      this.#leave(next.waiter, new LimitPassed(next.limit));
    }
  }

  #longestHold(): LongestHold | undefined {
    if (this.#planned === undefined) return undefined;
    const { longestHoldMs: longestMs, at } = this.#planned;
    const now = this.#clock.now();
    const isBounded = Number.isFinite(this.#mustEndBy);
    const from = Math.max(at, Math.min(now, this.#evictingUntil));
    return { longestMs, since: Math.max(from, lastHoldBegins(this.#registrations, { longestMs, now, isBounded })) };
  }

  #endedBy(error: unknown): DrainOutcome {
    const reason: unknown = this.#stop.signal.reason;
    if (isStopReason(reason)) return this.#unfinished(reason);
    if (error instanceof Refused) return { ...this.#identity, status: "refused", refusal: error.refusal };
    return { ...this.#identity, registrations: this.#results(), status: "failed", error: asDrainError(error) };
  }

  #unfinished(why: StopReason): DrainOutcome {
    const ended = { ...this.#identity, registrations: this.#results() };
    return stoppedOutcome(why, ended, { searched: this.#searched, error: this.#trouble });
  }

  get #searchedFor() {
    const warnings = [...this.warnings];
    return { elsewhere: this.elsewhere, ...(warnings.length === 0 ? {} : { warnings }) };
  }

  get #identity() {
    return { drainId: this.id, node: this.node, ...(this.#eviction && { eviction: this.#eviction }) };
  }

  #results() {
    return resultsOf(this.#registrations, this.#clock.now());
  }
}
