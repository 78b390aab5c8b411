import { newAbort, whenAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { type CallFor, type FoundRegistrations, keyOf, type Node, type Registration } from "./cloud-provider.ts";
import { Departure, type DepartureEvent, type DepartureOwner } from "./departure.ts";
import { asDrainError } from "./errors.ts";
import type { HoldAllowances } from "./hold.ts";
import { LimitPassed } from "./limit.ts";
import type { DrainOutcome } from "./outcome.ts";
import { type DrainLimit, type DrainPlan, type DrainTimes, drainLimit } from "./plan.ts";

const SEARCH_MAX_MS = 600_000;
const ABANDONED = Symbol("abandoned");

export interface DrainRunOptions {
  readonly id: string;
  readonly node: Node;
  /** When the first request came, in milliseconds since the epoch. */
  readonly startedAt: number;
  readonly clock: Clock;
  readonly times: DrainTimes;
  /** What its departures tell. */
  readonly heard: (run: DrainRun, registration: Registration, event: DepartureEvent) => void;
}

/** One node's drain, shared by every request for that node: its limit, those who wait for it, and how it ends. */
export class DrainRun implements DepartureOwner {
  readonly id: string;
  readonly node: Node;
  readonly startedAt: number;
  readonly #clock: Clock;
  readonly #times: DrainTimes;
  readonly #stop = newAbort();
  readonly #heard: DrainRunOptions["heard"];
  readonly #departures: Departure[] = [];
  readonly #elsewhere: Registration[] = [];
  #deadline: number | undefined;
  #planned: { readonly longestHoldMs: number; readonly at: number } | undefined;
  #onMove: () => void = () => {};
  #timer = newAbort();
  #waiting = 0;
  #outcome: Promise<DrainOutcome> | undefined;

  constructor({ id, node, startedAt, clock, times, heard }: DrainRunOptions) {
    this.id = id;
    this.node = node;
    this.startedAt = startedAt;
    this.#clock = clock;
    this.#times = times;
    this.#heard = heard;
  }

  /** Aborts when the limit has passed, or when nobody waits for the outcome any more. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The earliest of all requests. Absent: nobody gave one. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** So far: those that a later search finds are added. */
  get departures(): readonly Departure[] {
    return this.#departures;
  }

  /** Where the configured discovery leaves the node registered. */
  get elsewhere(): readonly Registration[] {
    return this.#elsewhere;
  }

  get allowances(): HoldAllowances {
    return this.#times.allowances;
  }

  /** By what others have said, not by our own reckoning of how long it should take. */
  get mustEndBy(): number {
    const asked = { startedAt: this.startedAt, deadline: this.#deadline, times: this.#times };
    return drainLimit(asked)?.at ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Until when a search that fails in passing is made again: the drain's limit. Where nobody set one, whoever asked is
   * told at once, unless something is deregistered already: that is held to its end.
   */
  get searchUntil(): number {
    const { mustEndBy } = this;
    if (Number.isFinite(mustEndBy)) return mustEndBy;
    return this.#departures.length === 0 ? Number.NEGATIVE_INFINITY : this.startedAt + SEARCH_MAX_MS;
  }

  /** As somebody to make calls for. */
  callFor(signal: AbortSignal): CallFor {
    return { urgency: () => ({ purpose: "find", deadline: this.mustEndBy }), signal };
  }

  heard(registration: Registration, event: DepartureEvent): void {
    this.#heard(this, registration, event);
  }

  moved(): void {
    this.#onMove();
  }

  /** `onEnd` runs before anybody who waits hears of the outcome. */
  begin(work: (run: DrainRun) => Promise<void>, onEnd: (outcome: DrainOutcome) => void): void {
    // The end of its time ends a drain, whether or not what it waits for heeds the signal.
    this.#outcome = Promise.race([work(this), whenAborted(this.signal)])
      .then(
        () => this.#ended(),
        (error: unknown) => this.#endedBy(error),
      )
      .then((outcome) => {
        this.#timer.abort();
        onEnd(outcome);
        return outcome;
      });
  }

  /** What an earlier search has found, by its key. */
  known(): ReadonlySet<string> {
    const found = [...this.#departures.map(({ registration }) => registration), ...this.#elsewhere];
    return new Set(found.map(keyOf));
  }

  /** Returns the new departures: those that are not `known`. */
  found({ registrations, elsewhere }: FoundRegistrations, known: ReadonlySet<string>): readonly Departure[] {
    const isNew = (registration: Registration) => known.size === 0 || !known.has(keyOf(registration));
    const departures = registrations.filter(isNew).map((registration) => new Departure(this, registration));
    for (const departure of departures) this.#departures.push(departure);
    for (const registration of elsewhere) if (isNew(registration)) this.#elsewhere.push(registration);
    return departures;
  }

  planned({ longestHoldMs }: DrainPlan): void {
    this.#planned = { longestHoldMs, at: this.#clock.now() };
    this.#armLimit();
  }

  /** Resolves when `isSo` of every departure. */
  async untilAll(isSo: (departure: Departure) => boolean): Promise<void> {
    let next = 0;
    for (;;) {
      const departure = this.#departures[next];
      if (departure === undefined) return;
      if (isSo(departure)) next += 1;
      else {
        await new Promise<void>((resolve) => {
          this.#onMove = resolve;
        });
      }
    }
  }

  /** The outcome. Whoever's `signal` aborts gets `abandoned` at once; the drain goes on while somebody waits. */
  join(deadline: number | undefined, signal: AbortSignal): Promise<DrainOutcome> {
    if (deadline !== undefined && (this.#deadline === undefined || deadline < this.#deadline))
      this.#deadline = deadline;
    this.#armLimit();
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting -= 1;
        if (this.#waiting === 0) this.#stop.abort(ABANDONED);
        else resolve(this.#abandoned());
      };
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
      this.#outcome?.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }

  /** Begins to wait for the limit as it is now; whoever changes it calls this again. */
  #armLimit(): void {
    this.#timer.abort();
    this.#timer = newAbort();
    this.#awaitLimit(this.#timer.signal).catch(() => {}); // The drain has ended, or the limit was changed.
  }

  async #awaitLimit(signal: AbortSignal): Promise<void> {
    for (let limit = this.#limit(); limit !== undefined; limit = this.#limit()) {
      const leftMs = limit.at - this.#clock.now();
      if (leftMs <= 0) return this.#stop.abort(new LimitPassed(limit));
      // Holds that begin anew meanwhile move the limit: it is asked for again afterwards.
      await this.#clock.sleep(leftMs, signal);
    }
  }

  #limit(): DrainLimit | undefined {
    const asked = { startedAt: this.startedAt, deadline: this.#deadline, times: this.#times };
    if (this.#planned === undefined) return drainLimit(asked);
    const { longestHoldMs, at } = this.#planned;
    const now = this.#clock.now();
    // While one waits for its deregistration, its hold is still to come: until the limit that somebody has set, or else
    // as long as nothing but the cloud's request quota is in the way.
    const isSet = Number.isFinite(this.mustEndBy);
    const begins = ({ progress, isWaiting, hasFailed }: Departure) =>
      progress?.since ?? (isWaiting && (isSet || !hasFailed) ? now : 0);
    const since = this.#departures.reduce((latest, departure) => Math.max(latest, begins(departure)), at);
    return drainLimit({ ...asked, hold: { longestMs: longestHoldMs, since } });
  }

  #ended(): DrainOutcome {
    const ended = { drainId: this.id, node: this.node, elsewhere: this.#elsewhere };
    if (this.#departures.length === 0) return { ...ended, status: "nothing-registered" };
    const registrations = this.#fates();
    const error = registrations.find(({ state }) => state === "failed")?.error;
    return error === undefined
      ? { ...ended, status: "drained", registrations }
      : { ...ended, status: "failed", error, registrations };
  }

  #endedBy(error: unknown): DrainOutcome {
    const reason: unknown = this.#stop.signal.reason;
    if (reason === ABANDONED) return this.#abandoned();
    const ended = { drainId: this.id, node: this.node, registrations: this.#fates() };
    if (reason instanceof LimitPassed) return { ...ended, status: "deadline-passed", limit: reason.limit };
    return { ...ended, status: "failed", error: asDrainError(error) };
  }

  #abandoned(): DrainOutcome {
    return { drainId: this.id, node: this.node, status: "abandoned", registrations: this.#fates() };
  }

  #fates() {
    const now = this.#clock.now();
    return this.#departures.map((departure) => departure.fate(now));
  }
}
