import {
  type CloudProvider,
  type Node,
  type RegistrationState as PolledState,
  type Pool,
  type PoolTerms,
  type Registration,
  useOf,
} from "./cloud-provider.ts";
import { DrainError } from "./errors.ts";
import type { Standing as PoolStanding } from "./guard.ts";
import type { HoldProgress, NotEarly, TrafficEnd } from "./hold.ts";
import type { Past } from "./known-before.ts";
import { inOrder } from "./load-balancer-kinds.ts";
import type { RegistrationResult } from "./outcome.ts";
import { apply, heldMsAt, OPEN, type RegistrationState } from "./registration-state.ts";
import type { OfType, RegistrationStep } from "./steps.ts";
import type { Rises } from "./urgency.ts";

/** A program that registers a node again this many times will not stop. */
const REPEATS_MAX = 5;
/** A cloud that lists a node, but answers that it does not know it, is asked once more. */
const REFUSED_REPEATS_MAX = 1;

/** Rarely set fields, kept apart to save memory. */
interface History {
  /** How often it was deregistered again. */
  readonly repeats: number;
  readonly error?: DrainError | undefined;
  /** Why its call is still being repeated. */
  readonly repeating?: DrainError | undefined;
  readonly past?: Past;
  /** The decision of the guard, which is also reported as a trouble. */
  readonly guard?: RegistrationResult["guard"];
  /** It is deregistered when its pod leaves. */
  readonly isWithPod?: boolean;
  /** Why its hold has not ended early so far. */
  readonly notEarly?: NotEarly | undefined;
}

const NONE: History = { repeats: 0 };

/**
 * The state of the registration, and the part of its hold that each poll reads anew and that is therefore not written
 * anywhere.
 */
type Standing = RegistrationState & {
  readonly [Name in Exclude<keyof HoldProgress, "since" | "isEarlier">]?: HoldProgress[Name] | undefined;
};

/** The drain that a registration is part of. */
export interface RegistrationOwner {
  readonly id: string;
  readonly node: Node;
  /** The terms that apply to a pool whose terms were not read yet. */
  readonly cloud: Pick<CloudProvider, "termsAfterDelay">;
  /** When the drain ends at the latest, in milliseconds since the epoch. `Infinity`: unknown. */
  readonly mustEndBy: number;
  /** The cloud has refused a call because it does not know the node. The caller that gets the error sets this. */
  isRefused: boolean;
  /** Announces each change of `mustEndBy` and `isRefused`. */
  readonly rises: Rises;
  readonly happened: (step: RegistrationStep) => void;
  /** Called when it is known how long a registration has to be held, or that its hold is over. */
  readonly moved: () => void;
}

/**
 * One registration within a drain: its state, and since when. Times are milliseconds since the epoch. It is small on
 * purpose, because a thousand nodes in hundreds of pools have hundreds of thousands of these.
 */
export class DrainingRegistration {
  readonly owner: RegistrationOwner;
  readonly registration: Registration;
  #terms: PoolTerms | undefined;
  #known: Standing = OPEN;
  #isLeaving = false;
  /** Absent while there is nothing to report. */
  #unusual: History | undefined;

  constructor(owner: RegistrationOwner, registration: Registration, past?: Past) {
    this.owner = owner;
    this.registration = registration;
    if (past === undefined) return;
    this.#unusual = { ...NONE, past };
    const { cameBack, isOurs } = past;
    // A held registration continues to be held when that is acknowledged here.
    this.#known = past.state === "released" ? past : { ...OPEN, cameBack, isOurs };
  }

  /** Another program, or an earlier process, has begun to deregister it. It needs no call, but it needs the hold. */
  get foundDraining(): boolean {
    return this.registration.state === "draining" || this.#past !== undefined;
  }

  /** Its hold was over before this process began. */
  get wasReleased(): boolean {
    return this.#past?.state === "released";
  }

  get isOver(): boolean {
    return this.#known.state !== "open" && this.#known.state !== "holding";
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
    return this.#known.state === "released";
  }

  /** Nothing delays its deregistration. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  leaves(): void {
    this.#isLeaving = true;
  }

  /** It still has to be deregistered. */
  get isWaiting(): boolean {
    return this.#known.state === "open";
  }

  /** Its hold should be over by now, and no poll has succeeded since. */
  awaitsPoll(now: number): boolean {
    const { holdUntil = Number.POSITIVE_INFINITY } = this;
    return holdUntil <= now && (this.progress?.lastPoll ?? Number.NEGATIVE_INFINITY) < holdUntil;
  }

  /** Another attempt will be made. */
  get hasFailed(): boolean {
    return this.#unusual?.error !== undefined;
  }

  /**
   * Absent until its deregistration was acknowledged, when the hold is over, and while it has to be deregistered again.
   */
  get progress(): HoldProgress | undefined {
    return this.#known.state === "holding" ? (this.#known as HoldProgress) : undefined;
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

  /** Whether enough healthy targets remain is not checked. */
  forced(): void {
    this.#met({ guard: "forced" });
  }

  guarded(
    verdict: "waiting" | "waited" | "overridden" | "kept",
    standing: PoolStanding | undefined,
    now: number,
  ): void {
    if (this.isOver) return;
    if (verdict === "waited" || verdict === "overridden") this.#met({ guard: verdict });
    const { registration } = this;
    this.#happened({ registration, type: "guarded", verdict, ...(standing && { standing }) }, now);
  }

  acknowledged(now: number): void {
    if (this.isOver) return;
    const isFirst = this.progress === undefined && this.#history.repeats === 0;
    const foundDraining = this.foundDraining && isFirst;
    const since = isFirst ? this.#past?.since : undefined;
    this.#mended();
    // It is unknown when another program's deregistration began, so the hold counts from now.
    const seenLeaving = foundDraining && (this.#past?.isDraining ?? since === undefined);
    const earlier = isFirst && this.#past?.isEarlier ? { isEarlier: true as const } : {};
    this.#deregistered({ foundDraining, ...(since !== undefined && { since }), ...earlier }, seenLeaving, now);
  }

  polled(at: number, state: PolledState): void {
    this.#mended();
    if (this.progress === undefined) return;
    const { seenLeaving, wasBack } = this.progress;
    const isLeaving = state === "draining" || state === "absent" || state === "unlisted";
    const isBack = state === "initial" || (state === "live" && (seenLeaving || wasBack === true));
    const wasAbsent = state === "absent";
    this.#known = withPoll(this.#known, { seenLeaving: isLeaving, wasAbsent, wasBack: isBack, lastPoll: at });
  }

  /** Another program has deregistered it a second time. Traffic may have arrived in between. */
  heldAnew(now: number): void {
    this.#deregistered({ foundDraining: true }, true, now);
  }

  /** What the agent on the node has shown, or why that is not enough. */
  trafficCounted(end: TrafficEnd | NotEarly): void {
    const { progress } = this;
    if (progress === undefined) return;
    const { trafficEnd: before, ...known } = this.#known;
    const trafficEnd = typeof end === "object" ? { ...end, provenAt: before?.provenAt ?? end.provenAt } : undefined;
    this.#known = { ...known, ...(trafficEnd && { trafficEnd }) };
    this.#met({ notEarly: typeof end === "string" ? end : undefined });
  }

  /** Its call has failed and is repeated. This is reported only if the time is up before the call succeeds. */
  repeating(error: DrainError): void {
    this.#met({ repeating: error });
  }

  /** It will be retried. */
  failedForNow(type: "deregister-failed" | "poll-failed", error: DrainError): void {
    this.#met({ error });
    this.owner.happened({ registration: this.registration, type, error });
  }

  /** Returns whether another attempt makes sense. */
  again(because: "back" | "ignored", now: number): boolean {
    const times = this.#history.repeats + 1;
    this.#met({ repeats: times });
    const { registration } = this;
    const { isRefused } = this.owner;
    if (times <= (isRefused ? REFUSED_REPEATS_MAX : REPEATS_MAX)) {
      // Until then no report may say that it is held, or that its traffic has stopped.
      this.#happened({ registration, type: "deregistering-again", because }, now);
      return true;
    }
    // The failure itself describes the last attempt.
    if (because === "back") this.#known = { ...this.#known, cameBack: this.#known.cameBack + 1 };
    const stays = isRefused ? "it stayed registered, although AWS answered that it is not" : "it stayed registered";
    const what = because === "back" ? "another program registered it again" : stays;
    this.failed(new DrainError("registered-again", `deregistered ${times} times, and each time ${what}`), now);
    return false;
  }

  /** `isEarly`: the hold ends because its traffic has ended. */
  released(now: number, { isEarly = false } = {}): void {
    if (this.isReleased) return;
    this.#mended();
    const heldMs = heldMsAt(this.#known, now);
    const { registration } = this;
    const { trafficEnd } = this.#known;
    const { notEarly } = this.#history;
    const early = isEarly && trafficEnd !== undefined && { idleMs: Math.round(now - trafficEnd.idleFrom) };
    this.#happened({ registration, type: "released", heldMs, ...early, ...(notEarly && { notEarly }) }, now);
  }

  failed(error: DrainError, now: number): void {
    if (this.isOver) return;
    this.#met({ error });
    this.#happened({ registration: this.registration, type: "failed", error }, now);
  }

  result(now: number): RegistrationResult {
    const { state, cameBack, isOurs, heldMs = heldMsAt(this.#known, now), idleMs, seenLeaving } = this.#known;
    const { newTrafficMs } = this.#terms ?? this.owner.cloud.termsAfterDelay(this.registration.pool);
    const { error: failure, repeating, guard } = this.#history;
    const error = failure ?? repeating;
    return {
      registration: this.registration,
      state: state === "open" ? "registered" : state,
      ...(guard === undefined ? {} : { guard }),
      heldMs,
      ...(this.#terms && { holdMs: this.#terms.holdMs }),
      ...(idleMs !== undefined && { idleMs }),
      newTrafficStopped: state === "released" || (seenLeaving === true && heldMs >= newTrafficMs),
      cameBack,
      deregistered: isOurs && (state === "holding" || heldMs > 0),
      ...(error === undefined ? {} : { error }),
    };
  }

  /** Until when it is held. Undefined while that is not known, and when the hold is over. */
  get holdUntil(): number | undefined {
    return this.progress && this.#holdUntil(this.progress.since).holdUntil;
  }

  #holdUntil(since: number): { readonly holdUntil?: number } {
    return this.#terms === undefined ? {} : { holdUntil: since + this.#terms.holdMs };
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

  /** Troubles that are over, and had no effect, are forgotten. */
  #mended(): void {
    if (this.#unusual !== undefined) this.#met({ error: undefined, repeating: undefined });
  }

  #deregistered(
    how: Pick<OfType<RegistrationStep, "deregistered">, "foundDraining" | "since" | "isEarlier">,
    seenLeaving: boolean,
    now: number,
  ): void {
    const { registration } = this;
    const held = this.#holdUntil(how.since ?? now);
    this.#happened({ registration, type: "deregistered", ...held, ...how }, now, seenLeaving);
  }

  /** `seenLeaving`: see `HoldProgress`. */
  #happened(step: RegistrationStep, now: number, seenLeaving?: boolean): void {
    const isFoundLive = this.registration.state !== "draining";
    const known = apply(this.#known, step, { at: now, isFoundLive });
    this.#known = seenLeaving === undefined ? known : withPoll(known, { seenLeaving });
    if (this.isOver) this.owner.moved();
    this.owner.happened(step);
  }
}

/** What a poll shows about a hold. */
type Polled = Pick<Standing, "seenLeaving" | "wasAbsent" | "wasBack" | "lastPoll">;

/** Each field is written, because a spread would take half as much memory again for each of hundreds of thousands. */
function withPoll(known: Standing, { seenLeaving, wasAbsent, wasBack, lastPoll }: Polled): Standing {
  const { state, since, cameBack, isOurs, isEarlier, trafficEnd } = known;
  const polled = { state, since, cameBack, isOurs, seenLeaving, wasAbsent, wasBack, lastPoll };
  if (!isEarlier && trafficEnd === undefined) return polled;
  return { ...polled, ...(isEarlier && { isEarlier }), ...(trafficEnd && { trafficEnd }) };
}

/** One list for each pool, by the kind of load balancer that used it when it was found. */
export function byPool(
  registrations: readonly DrainingRegistration[],
): readonly (readonly [Pool, readonly DrainingRegistration[]])[] {
  const pools = new Map<string, readonly [Pool, DrainingRegistration[]]>();
  for (const draining of registrations) {
    const { pool } = draining.registration;
    const use = useOf(pool);
    const known = pools.get(use);
    if (known === undefined) pools.set(use, [pool, [draining]]);
    else known[1].push(draining);
  }
  return [...pools.values()];
}

/**
 * When the last of their holds began or is expected to begin. A registration that waits for its deregistration may
 * begin its hold until the limit, if there is one. Without a limit it may do so as long as only the cloud's request
 * quota delays it. The quota may also delay the poll that ends a hold. Times are milliseconds since the epoch.
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

/** The results of registrations, in the order in which people read them. */
export function resultsOf(registrations: readonly DrainingRegistration[], now: number): readonly RegistrationResult[] {
  return inOrder(registrations.map((draining) => draining.result(now)));
}
