import type { Registration } from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import { type HoldAllowances, type HoldProgress, holdMs } from "./hold.ts";
import type { RegistrationFate } from "./outcome.ts";
import { newTrafficStopped, type PlannedRegistration } from "./plan.ts";

/** Somebody who registers a node again this often will not stop. */
const CAME_BACK_MAX = 5;

export type DepartureEvent =
  | { readonly type: "deregistered"; readonly holdUntil: number; readonly foundDraining: boolean }
  | { readonly type: "deregistering-again"; readonly because: "back" | "ignored" }
  | { readonly type: "look-failed"; readonly error: DrainError }
  | { readonly type: "released"; readonly heldMs: number }
  | { readonly type: "failed"; readonly error: DrainError };

/** One registration on its way out: where it stands, and since when. Times are milliseconds since the epoch. */
export class Departure {
  readonly registration: Registration;
  readonly #planned: PlannedRegistration;
  readonly #allowances: HoldAllowances;
  readonly #notify: (event: DepartureEvent) => void;
  #state: RegistrationFate["state"] = "registered";
  #progress: HoldProgress | undefined;
  #cameBack = 0;
  #endedAt: number | undefined;
  #error: DrainError | undefined;

  constructor(
    planned: PlannedRegistration,
    allowances: HoldAllowances,
    notify: (registration: Registration, event: DepartureEvent) => void,
  ) {
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
    const holdUntil = now + holdMs(this.registration.pool, this.#allowances);
    this.#notify({ type: "deregistered", holdUntil, foundDraining });
  }

  looked(at: number, state: "leaving" | "unchanged"): void {
    if (this.#progress === undefined) return;
    const { since, seenLeaving } = this.#progress;
    this.#progress = { since, seenLeaving: seenLeaving || state === "leaving", lastLook: at };
  }

  lookFailed(error: DrainError): void {
    this.#error = error;
    this.#notify({ type: "look-failed", error });
  }

  /** Returns whether it is worth another try. */
  again(because: "back" | "ignored", now: number): boolean {
    this.#cameBack += 1;
    if (this.#cameBack > CAME_BACK_MAX) {
      const what = because === "back" ? "somebody registers it again" : "it stays registered";
      this.failed(
        new DrainError("registered-again", `deregistered ${this.#cameBack} times, and each time ${what}`),
        now,
      );
      return false;
    }
    this.#notify({ type: "deregistering-again", because });
    return true;
  }

  released(now: number): void {
    if (this.isOver) return;
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
        (this.#state === "holding" && newTrafficStopped(this.registration.pool, heldMs, this.#allowances)),
      cameBack: this.#cameBack,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  #heldMs(until: number): number {
    return this.#progress === undefined ? 0 : Math.max(0, until - this.#progress.since);
  }
}
