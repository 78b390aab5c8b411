import {
  inOrder,
  type Node,
  type Pool,
  type PoolTerms,
  type Registration,
  type RegistrationState,
} from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import type { Standing } from "./guard.ts";
import {
  type EarlyEnd,
  type HeldBy,
  type HoldAllowances,
  type HoldProgress,
  heldBy,
  holdMs,
  type NotEarly,
  type TrafficEnd,
} from "./hold.ts";
import type { RegistrationResult } from "./outcome.ts";
import type { Past } from "./past.ts";
import { newTrafficStopped } from "./plan.ts";
import type { Rises } from "./urgency.ts";

/** A program that registers a node again this often will not stop. */
const REPEATS_MAX = 5;
/** A cloud that does not know a node, and lists it all the same, is asked once more. */
const REFUSED_REPEATS_MAX = 1;

/** Rarely set fields, kept apart to save memory. */
interface History {
  /** How often it was deregistered again: because another program had registered it again, and for either reason. */
  readonly cameBack: number;
  readonly repeats: number;
  readonly error?: DrainError | undefined;
  /** Why its call is still being repeated. */
  readonly repeating?: DrainError | undefined;
  readonly past?: Past;
  /** What the guard did, which is a trouble too. */
  readonly guard?: RegistrationResult["guard"];
  readonly isKept?: true;
  /** It leaves once its pod does. */
  readonly isWithPod?: boolean;
  /** Whether its hold ended early, or why it has not so far. */
  readonly early?: EarlyEnd | undefined;
  /** It was found draining, came back, and was deregistered by this drain then. */
  readonly isOurs?: true;
}

const NONE: History = { cameBack: 0, repeats: 0 };

/** The drain that a registration is part of. */
export interface RegistrationOwner {
  readonly node: Node;
  readonly allowances: HoldAllowances;
  /** When the drain ends at the latest, in milliseconds since the epoch. `Infinity`: unknown. */
  readonly mustEndBy: number;
  /** The cloud has refused a call because it does not know the node. The caller that gets the error sets it. */
  isRefused: boolean;
  /** Announces each change of `mustEndBy` and `isRefused`. */
  readonly rises: Rises;
  readonly onEvent: (registration: Registration, event: RegistrationEvent) => void;
  /** A registration has learned how long it is to be held, or that it is over. */
  readonly moved: () => void;
}

/**
 * One registration on its way out: where it stands, and since when. Times are milliseconds since the epoch.
 * Small on purpose: a thousand nodes in hundreds of pools have as many hundred thousands of these.
 */
export class DrainingRegistration {
  readonly owner: RegistrationOwner;
  readonly registration: Registration;
  #terms: PoolTerms | undefined;
  #progress: HoldProgress | undefined;
  /** Absent until it is over. */
  #heldMs: number | undefined;
  #isLeaving = false;
  /** Absent while there is nothing to report. */
  #unusual: History | undefined;

  constructor(owner: RegistrationOwner, registration: Registration, past?: Past) {
    this.owner = owner;
    this.registration = registration;
    if (past === undefined) return;
    this.#unusual = { ...NONE, cameBack: past.cameBack, past, ...(past.isOurs && { isOurs: true }) };
    this.#heldMs = past.heldMs;
  }

  /** Another program, or an earlier process, has begun to deregister it: no call is needed, but the hold is. */
  get foundDraining(): boolean {
    return this.registration.state === "draining" || this.#past !== undefined;
  }

  /** It was over before this process began. */
  get wasReleased(): boolean {
    return this.#past?.heldMs !== undefined;
  }

  get isOver(): boolean {
    return this.#heldMs !== undefined;
  }

  /** It is not deregistered before its pod is evicted. */
  get isWithPod(): boolean {
    return !this.isOver && this.#unusual?.isWithPod === true;
  }

  waitsForPod(isWithPod: boolean): void {
    this.#met({ isWithPod });
    this.owner.moved();
  }

  /** Its pool has stopped sending traffic. */
  get isReleased(): boolean {
    return this.#state === "released";
  }

  /** Nothing holds its deregistration back. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  leaves(): void {
    this.#isLeaving = true;
  }

  /** It is still to be deregistered. */
  get isWaiting(): boolean {
    return this.#state === "registered";
  }

  /** Its hold is over as far as is known, and no poll has succeeded since. */
  awaitsPoll(now: number): boolean {
    const { holdUntil = Number.POSITIVE_INFINITY } = this;
    return holdUntil <= now && (this.#progress?.lastPoll ?? Number.NEGATIVE_INFINITY) < holdUntil;
  }

  /** Another one will be made. */
  get hasFailed(): boolean {
    return this.#unusual?.error !== undefined;
  }

  /** Absent until its deregistration was acknowledged, once it is over, and while it is to be deregistered again. */
  get progress(): HoldProgress | undefined {
    return this.#progress;
  }

  /** Absent until the pool's terms were read. */
  get terms(): PoolTerms | undefined {
    return this.#terms;
  }

  described(terms: PoolTerms): void {
    this.#terms = terms;
    if (this.#unusual !== undefined) this.#met({ repeating: undefined });
    this.owner.moved();
  }

  /** It is not checked whether enough healthy targets remain. */
  forced(): void {
    this.#met({ guard: "forced" });
  }

  guarded(verdict: "waiting" | "waited" | "overridden" | "kept", standing: Standing | undefined, now: number): void {
    if (this.isOver) return;
    if (verdict === "waited" || verdict === "overridden") this.#met({ guard: verdict });
    this.#notify({ type: "guarded", verdict, ...(standing && { standing }) });
    if (verdict !== "kept") return;
    this.#met({ isKept: true });
    this.#over(now);
  }

  acknowledged(now: number): void {
    if (this.isOver) return;
    const isFirst = this.#progress === undefined && this.#history.repeats === 0;
    const foundDraining = this.foundDraining && isFirst;
    const heldSince = isFirst ? this.#past?.heldSince : undefined;
    this.#mended();
    if (!isFirst && !this.#isFoundLive) this.#met({ isOurs: true });
    // When another program's deregistration began is not known: held as if it were now.
    const seenLeaving = foundDraining && (this.#past?.isDraining ?? heldSince === undefined);
    const earlier = isFirst && this.#past?.isEarlier ? { isEarlier: true as const } : {};
    this.#progress = { since: heldSince ?? now, seenLeaving, ...earlier };
    const held = this.#holdUntil(this.#progress.since);
    this.#notify({ type: "deregistered", ...held, ...earlier, foundDraining, ...(heldSince && { heldSince }) });
  }

  polled(at: number, state: RegistrationState): void {
    this.#mended();
    if (this.#progress === undefined) return;
    const { seenLeaving, wasBack } = this.#progress;
    const isLeaving = state === "draining" || state === "absent" || state === "unlisted";
    const isBack = state === "initial" || (state === "live" && (seenLeaving || wasBack === true));
    const wasAbsent = state === "absent";
    this.#progress = { ...this.#progress, seenLeaving: isLeaving, wasAbsent, wasBack: isBack, lastPoll: at };
  }

  /** Another program has deregistered it a second time: traffic may have come meanwhile. */
  heldAnew(now: number): void {
    this.#progress = { since: now, seenLeaving: true };
    this.#met({ cameBack: this.#history.cameBack + 1 });
    this.#notify({ type: "deregistered", ...this.#holdUntil(now), foundDraining: true });
  }

  /** What the agent on the node has shown, or why that is not enough. Undefined: nothing, after a gap. */
  trafficCounted(end: TrafficEnd | NotEarly | undefined): void {
    if (this.#progress === undefined) return;
    const { trafficEnd: known, ...progress } = this.#progress;
    const trafficEnd = typeof end === "object" ? { ...end, provenAt: known?.provenAt ?? end.provenAt } : undefined;
    this.#progress = { ...progress, ...(trafficEnd && { trafficEnd }) };
    this.#met({ early: typeof end === "string" ? { notEarly: end } : undefined });
  }

  /** Its call has failed and is repeated: no event, unless time is up meanwhile. */
  repeating(error: DrainError): void {
    this.#met({ repeating: error });
  }

  /** It will be tried again. */
  failedForNow(type: "deregister-failed" | "poll-failed", error: DrainError): void {
    this.#met({ error });
    this.#notify({ type, error });
  }

  /** Returns whether it is worth another try. */
  again(because: "back" | "ignored", now: number): boolean {
    const { cameBack, repeats } = this.#history;
    this.#met({ repeats: repeats + 1, cameBack: because === "back" ? cameBack + 1 : cameBack });
    const { isRefused } = this.owner;
    if (repeats + 1 > (isRefused ? REFUSED_REPEATS_MAX : REPEATS_MAX)) {
      const stays = isRefused ? "it stayed registered, although AWS answered that it is not" : "it stayed registered";
      const what = because === "back" ? "another program registered it again" : stays;
      this.failed(new DrainError("registered-again", `deregistered ${repeats + 1} times, and each time ${what}`), now);
      return false;
    }
    // Until then no report may say that it is held, or that its traffic has stopped.
    this.#progress = undefined;
    this.#notify({ type: "deregistering-again", because });
    return true;
  }

  /** `isEarly`: because its traffic has ended. */
  released(now: number, { isEarly = false } = {}): void {
    if (this.#state === "released") return;
    this.#mended();
    const { trafficEnd } = this.#progress ?? {};
    if (isEarly && trafficEnd !== undefined) this.#met({ early: { idleMs: Math.round(now - trafficEnd.idleFrom) } });
    const heldMs = this.#over(now);
    this.#progress = undefined;
    this.#notify({ type: "released", heldMs, ...this.#history.early });
  }

  failed(error: DrainError, now: number): void {
    if (this.isOver) return;
    this.#met({ error });
    this.#over(now);
    this.#notify({ type: "failed", error });
  }

  result(now: number): RegistrationResult {
    const heldMs = this.#heldMs ?? this.#heldUntil(now);
    const held = this.#heldBy;
    const { cameBack, error: failure, repeating, guard, early } = this.#history;
    const error = failure ?? repeating;
    return {
      registration: this.registration,
      state: this.#state,
      ...(guard === undefined ? {} : { guard }),
      heldMs,
      ...(held === undefined ? {} : { holdMs: holdMs(held, this.owner.allowances) }),
      newTrafficStopped:
        this.#state === "released" ||
        (this.#progress?.seenLeaving === true &&
          newTrafficStopped(this.registration.pool.kind, heldMs, this.owner.allowances)),
      ...(early?.idleMs === undefined ? {} : { idleMs: early.idleMs }),
      cameBack,
      deregistered: this.#wasAcknowledged && (this.#isFoundLive || this.#history.isOurs === true),
      ...(error === undefined ? {} : { error }),
    };
  }

  /** Until when it is held; undefined while that is not known, and once it is over. */
  get holdUntil(): number | undefined {
    return this.#progress && this.#holdUntil(this.#progress.since).holdUntil;
  }

  get #heldBy(): HeldBy | undefined {
    return this.#terms && heldBy(this.registration.pool, this.#terms);
  }

  #holdUntil(since: number): { readonly holdUntil?: number } {
    const held = this.#heldBy;
    return held === undefined ? {} : { holdUntil: since + holdMs(held, this.owner.allowances) };
  }

  get #isFoundLive(): boolean {
    return this.registration.state !== "draining";
  }

  /** What was released without a deregistration belongs to a machine that is gone. */
  get #wasAcknowledged(): boolean {
    return this.#progress !== undefined || (this.#state === "released" && (this.#heldMs ?? 0) > 0);
  }

  get #history(): History {
    return this.#unusual ?? NONE;
  }

  get #past(): Past | undefined {
    return this.#unusual?.past;
  }

  #met(unusual: Partial<History>): void {
    this.#unusual = { ...this.#history, ...unusual };
  }

  /** What has passed without a trace is forgotten. */
  #mended(): void {
    if (this.#unusual !== undefined) this.#met({ error: undefined, repeating: undefined });
  }

  get #state(): RegistrationResult["state"] {
    if (!this.isOver) return this.#progress === undefined ? "registered" : "holding";
    if (this.#unusual?.isKept === true) return "kept";
    return this.#unusual?.error === undefined ? "released" : "failed";
  }

  #over(now: number): number {
    const heldMs = Math.round(this.#heldUntil(now));
    this.#heldMs = heldMs;
    this.owner.moved();
    return heldMs;
  }

  #heldUntil(until: number): number {
    return this.#progress === undefined ? 0 : Math.max(0, until - this.#progress.since);
  }

  #notify(event: RegistrationEvent): void {
    this.owner.onEvent(this.registration, event);
  }
}

/** What happens to one registration on its way out. */
export type RegistrationEvent =
  | {
      readonly type: "deregistered";
      readonly holdUntil?: number;
      readonly foundDraining: boolean;
      readonly heldSince?: number;
      /** See `HoldProgress`. */
      readonly isEarlier?: true;
    }
  | {
      readonly type: "guarded";
      readonly verdict: "waiting" | "waited" | "overridden" | "kept";
      readonly standing?: Standing;
    }
  | { readonly type: "deregistering-again"; readonly because: "back" | "ignored" }
  | { readonly type: "deregister-failed" | "poll-failed"; readonly error: DrainError }
  | ({ readonly type: "released"; readonly heldMs: number } & EarlyEnd)
  | { readonly type: "failed"; readonly error: DrainError };

/** One list a pool. */
export function byPool(
  registrations: readonly DrainingRegistration[],
): readonly (readonly [Pool, readonly DrainingRegistration[]])[] {
  const pools = new Map<string, readonly [Pool, DrainingRegistration[]]>();
  for (const draining of registrations) {
    const { pool } = draining.registration;
    const known = pools.get(pool.id);
    if (known === undefined) pools.set(pool.id, [pool, [draining]]);
    else known[1].push(draining);
  }
  return [...pools.values()];
}

/**
 * When the last of their holds began or, as far as is known, will begin. While one waits for its deregistration
 * that is still to come: until the limit if there is one, or else as long as nothing but the cloud's request
 * quota is in the way. That may delay the poll that ends a hold, too. Times are milliseconds since the epoch.
 */
export function lastHoldBegins(
  registrations: readonly DrainingRegistration[],
  { longestMs, now, isBounded }: { readonly longestMs: number; readonly now: number; readonly isBounded: boolean },
): number {
  const begins = (one: DrainingRegistration) => {
    if (one.awaitsPoll(now) && !one.hasFailed) return now - longestMs;
    return one.progress?.since ?? (one.isWaiting && (!one.hasFailed || isBounded) ? now : 0);
  };
  return registrations.reduce((latest, one) => Math.max(latest, begins(one)), 0);
}

/** Their state, in the order in which people read them. */
export function resultsOf(registrations: readonly DrainingRegistration[], now: number): readonly RegistrationResult[] {
  return inOrder(registrations.map((draining) => draining.result(now)));
}
