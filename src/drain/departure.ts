import {
  inOrder,
  type Node,
  type Pool,
  type PoolTerms,
  type Registration,
  type RegistrationState,
} from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import { type HeldBy, type HoldAllowances, type HoldProgress, holdMs } from "./hold.ts";
import type { RegistrationFate } from "./outcome.ts";
import { newTrafficStopped } from "./plan.ts";

/** Somebody who registers a node again this often will not stop. */
const REPEATS_MAX = 5;

export type DepartureEvent =
  | {
      readonly type: "deregistered";
      readonly holdUntil?: number;
      readonly foundDraining: boolean;
      readonly heldSince?: number;
    }
  | { readonly type: "deregistering-again"; readonly because: "back" | "ignored" }
  | { readonly type: "deregister-failed" | "look-failed"; readonly error: DrainError }
  | { readonly type: "released"; readonly heldMs: number }
  | { readonly type: "failed"; readonly error: DrainError };

/** What an earlier process has done about a registration. */
export interface Past {
  /** Deregistered then, in milliseconds since the epoch. */
  readonly heldSince: number;
  /** For how long it was held. Absent: it still is to be. */
  readonly heldMs?: number;
  readonly cameBack: number;
}

/** Undefined: nothing. */
export type PastOf = (registration: Registration) => Past | undefined;

/** The drain that a departure is part of. */
export interface DepartureOwner {
  readonly node: Node;
  readonly allowances: HoldAllowances;
  /** When the drain ends at the latest, in milliseconds since the epoch. `Infinity`: nobody said. */
  readonly mustEndBy: number;
  readonly heard: (registration: Registration, event: DepartureEvent) => void;
  /** A departure has learned how long it is to be held, or that it is over. */
  readonly moved: () => void;
}

/**
 * One registration on its way out: where it stands, and since when. Times are milliseconds since the epoch.
 * Small on purpose: a thousand nodes in hundreds of pools have as many hundred thousands of these.
 */
export class Departure {
  readonly owner: DepartureOwner;
  readonly registration: Registration;
  #terms: PoolTerms | undefined;
  #state: RegistrationFate["state"] = "registered";
  #progress: HoldProgress | undefined;
  /** How often it was deregistered again: because somebody had registered it again, and for either reason. */
  #cameBack = 0;
  #repeats = 0;
  /** Once it is over. */
  #heldMs = 0;
  #error: DrainError | undefined;
  /** Why its call is still being repeated. */
  #trouble: DrainError | undefined;

  readonly #past: Past | undefined;

  constructor(owner: DepartureOwner, registration: Registration, past?: Past) {
    this.owner = owner;
    this.registration = registration;
    this.#past = past;
    if (past === undefined) return;
    this.#cameBack = past.cameBack;
    if (past.heldMs === undefined) return;
    this.#state = "released";
    this.#heldMs = past.heldMs;
  }

  /** Somebody else, or an earlier process, has begun to deregister it: no call is needed, but the hold is. */
  get foundDraining(): boolean {
    return this.registration.state === "draining" || this.#past !== undefined;
  }

  /** It was over before this process began. */
  get wasReleased(): boolean {
    return this.#past?.heldMs !== undefined;
  }

  get isOver(): boolean {
    return this.#state === "released" || this.#state === "failed";
  }

  /** It is still to be deregistered. */
  get isWaiting(): boolean {
    return this.#state === "registered";
  }

  /** Its last call has failed; another one will be made. */
  get hasFailed(): boolean {
    return this.#error !== undefined;
  }

  /** Absent until its deregistration was accepted, and once it is over. */
  get progress(): HoldProgress | undefined {
    return this.#progress;
  }

  /** Absent until the pool was asked how it lets go. */
  get terms(): PoolTerms | undefined {
    return this.#terms;
  }

  described(terms: PoolTerms): void {
    this.#terms = terms;
    this.owner.moved();
  }

  accepted(now: number): void {
    if (this.isOver) return;
    const isFirst = this.#progress === undefined;
    const foundDraining = this.foundDraining && isFirst;
    const heldSince = isFirst ? this.#past?.heldSince : undefined;
    const since = heldSince ?? now;
    this.#state = "holding";
    this.#error = undefined;
    this.#trouble = undefined;
    // When somebody else's deregistration began is not known: held as if it were now.
    this.#progress = { since, seenLeaving: foundDraining && heldSince === undefined };
    const before = heldSince === undefined ? {} : { heldSince };
    this.#heard({ type: "deregistered", ...this.#holdUntil(since), foundDraining, ...before });
  }

  looked(at: number, state: RegistrationState): void {
    this.#error = undefined;
    this.#trouble = undefined;
    if (this.#progress === undefined) return;
    const { since, seenLeaving } = this.#progress;
    const isLeaving = state === "draining" || state === "absent";
    this.#progress = { since, seenLeaving: seenLeaving || isLeaving, wasAbsent: state === "absent", lastLook: at };
  }

  /** Somebody else has deregistered it a second time: traffic may have come meanwhile. */
  heldAnew(now: number): void {
    this.#progress = { since: now, seenLeaving: true };
    this.#cameBack += 1;
    this.#heard({ type: "deregistered", ...this.#holdUntil(now), foundDraining: true });
  }

  /** Its call has failed and is repeated: nothing that anybody needs to hear of, unless time is up meanwhile. */
  repeating(error: DrainError): void {
    this.#trouble = error;
  }

  /** It will be tried again. */
  failedForNow(type: "deregister-failed" | "look-failed", error: DrainError): void {
    this.#error = error;
    this.#heard({ type, error });
  }

  /** Returns whether it is worth another try. */
  again(because: "back" | "ignored", now: number): boolean {
    this.#repeats += 1;
    if (because === "back") this.#cameBack += 1;
    if (this.#repeats > REPEATS_MAX) {
      const what = because === "back" ? "somebody registers it again" : "it stays registered";
      this.failed(
        new DrainError("registered-again", `deregistered ${this.#repeats} times, and each time ${what}`),
        now,
      );
      return false;
    }
    this.#heard({ type: "deregistering-again", because });
    return true;
  }

  released(now: number): void {
    if (this.#state === "released") return;
    this.#error = undefined;
    this.#trouble = undefined;
    this.#over("released", now);
    this.#heard({ type: "released", heldMs: this.#heldMs });
  }

  failed(error: DrainError, now: number): void {
    if (this.isOver) return;
    this.#error = error;
    this.#over("failed", now);
    this.#heard({ type: "failed", error });
  }

  fate(now: number): RegistrationFate {
    const heldMs = this.isOver ? this.#heldMs : this.#heldUntil(now);
    const held = this.#heldBy;
    const error = this.#error ?? this.#trouble;
    return {
      registration: this.registration,
      state: this.#state,
      heldMs,
      ...(held === undefined ? {} : { holdMs: holdMs(held, this.owner.allowances) }),
      newTrafficStopped:
        this.#state === "released" ||
        (this.#progress?.seenLeaving === true &&
          newTrafficStopped(this.registration.pool.kind, heldMs, this.owner.allowances)),
      cameBack: this.#cameBack,
      ...(error === undefined ? {} : { error }),
    };
  }

  /** Until when it is held; undefined while that is not known, and once it is over. */
  get holdUntil(): number | undefined {
    return this.#progress && this.#holdUntil(this.#progress.since).holdUntil;
  }

  get #heldBy(): HeldBy | undefined {
    return this.#terms && { kind: this.registration.pool.kind, drainMs: this.#terms.drainMs };
  }

  #holdUntil(since: number): { readonly holdUntil?: number } {
    const held = this.#heldBy;
    return held === undefined ? {} : { holdUntil: since + holdMs(held, this.owner.allowances) };
  }

  #over(state: "released" | "failed", now: number): void {
    this.#state = state;
    this.#heldMs = Math.round(this.#heldUntil(now));
    if (state === "released") this.#progress = undefined;
    this.owner.moved();
  }

  #heldUntil(until: number): number {
    return this.#progress === undefined ? 0 : Math.max(0, until - this.#progress.since);
  }

  #heard(event: DepartureEvent): void {
    this.owner.heard(this.registration, event);
  }
}

/** One list a pool. */
export function byPool(departures: readonly Departure[]): readonly (readonly [Pool, readonly Departure[]])[] {
  const pools = new Map<string, readonly [Pool, Departure[]]>();
  for (const departure of departures) {
    const { pool } = departure.registration;
    const known = pools.get(pool.id);
    if (known === undefined) pools.set(pool.id, [pool, [departure]]);
    else known[1].push(departure);
  }
  return [...pools.values()];
}

/** How they fare, in the order in which people read them. */
export function fatesOf(departures: readonly Departure[], now: number): readonly RegistrationFate[] {
  return inOrder(departures.map((departure) => departure.fate(now)));
}
