import type { Node, Registration, RegistrationState } from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import { type HoldAllowances, type HoldProgress, holdMs } from "./hold.ts";
import type { RegistrationFate } from "./outcome.ts";
import { newTrafficStopped, type PlannedRegistration } from "./plan.ts";

/** Somebody who registers a node again this often will not stop. */
const REPEATS_MAX = 5;

export type DepartureEvent =
  | { readonly type: "deregistered"; readonly holdUntil: number; readonly foundDraining: boolean }
  | { readonly type: "deregistering-again"; readonly because: "back" | "ignored" }
  | { readonly type: "look-failed"; readonly error: DrainError }
  | { readonly type: "released"; readonly heldMs: number }
  | { readonly type: "failed"; readonly error: DrainError };

/** One registration on its way out: where it stands, and since when. Times are milliseconds since the epoch. */
export class Departure {
  readonly node: Node;
  readonly registration: Registration;
  readonly #planned: PlannedRegistration;
  readonly #allowances: HoldAllowances;
  readonly #notify: (event: DepartureEvent) => void;
  #state: RegistrationFate["state"] = "registered";
  #progress: HoldProgress | undefined;
  /** How often it was deregistered again: because somebody had registered it again, and for either reason. */
  #cameBack = 0;
  #repeats = 0;
  #endedAt: number | undefined;
  #error: DrainError | undefined;

  constructor(
    node: Node,
    planned: PlannedRegistration,
    allowances: HoldAllowances,
    notify: (registration: Registration, event: DepartureEvent) => void,
  ) {
    this.node = node;
    this.registration = planned.registration;
    this.#planned = planned;
    this.#allowances = allowances;
    this.#notify = (event) => notify(planned.registration, event);
  }

  /** Somebody else has begun to deregister it: no call is needed, but the hold is. */
  get isDrainingAlready(): boolean {
    return this.#planned.action === "hold";
  }

  get isOver(): boolean {
    return this.#state === "released" || this.#state === "failed";
  }

  /** Absent until its deregistration was accepted. */
  get progress(): HoldProgress | undefined {
    return this.#progress;
  }

  accepted(now: number): void {
    const foundDraining = this.isDrainingAlready && this.#progress === undefined;
    this.#state = "holding";
    // When somebody else's deregistration began is not known: held as if it were now.
    this.#progress = { since: now, seenLeaving: foundDraining };
    this.#notify({ type: "deregistered", holdUntil: now + this.#holdMs, foundDraining });
  }

  looked(at: number, state: RegistrationState): void {
    this.#error = undefined;
    if (this.#progress === undefined) return;
    const { since, seenLeaving } = this.#progress;
    const isLeaving = state === "draining" || state === "absent";
    this.#progress = { since, seenLeaving: seenLeaving || isLeaving, wasAbsent: state === "absent", lastLook: at };
  }

  /** Somebody else has deregistered it a second time: traffic may have come meanwhile. */
  heldAnew(now: number): void {
    this.#progress = { since: now, seenLeaving: true };
    this.#cameBack += 1;
    this.#notify({ type: "deregistered", holdUntil: now + this.#holdMs, foundDraining: true });
  }

  lookFailed(error: DrainError): void {
    this.#error = error;
    this.#notify({ type: "look-failed", error });
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
    this.#notify({ type: "deregistering-again", because });
    return true;
  }

  released(now: number): void {
    if (this.#state === "released") return;
    this.#state = "released";
    this.#endedAt = now;
    this.#error = undefined;
    this.#notify({ type: "released", heldMs: this.#heldMs(now) });
  }

  failed(error: DrainError, now: number): void {
    if (this.isOver) return;
    this.#state = "failed";
    this.#endedAt = now;
    this.#error = error;
    this.#notify({ type: "failed", error });
  }

  fate(now: number): RegistrationFate {
    const heldMs = this.#heldMs(this.#endedAt ?? now);
    return {
      registration: this.registration,
      state: this.#state,
      heldMs,
      holdMs: this.#planned.holdMs,
      newTrafficStopped:
        this.#state === "released" ||
        (this.#progress?.seenLeaving === true && newTrafficStopped(this.registration.pool, heldMs, this.#allowances)),
      cameBack: this.#cameBack,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  get #holdMs(): number {
    return holdMs(this.registration.pool, this.#allowances);
  }

  #heldMs(until: number): number {
    return this.#progress === undefined ? 0 : Math.max(0, until - this.#progress.since);
  }
}
