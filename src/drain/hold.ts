import type { LoadBalancerKind, Pool, PoolTerms, RegistrationState } from "./cloud-provider.ts";

/** How long traffic goes on after AWS has accepted a deregistration, whatever its API says. All in milliseconds. */
export interface HoldAllowances {
  /** New requests were seen up to 19 s after an ALB target turned `draining` (aws-load-balancer-controller#2366). */
  readonly albPropagationMs: number;
  /** New flows were seen 120 to 200 s after deregistering from an NLB, whatever the delay (containers-roadmap#470). */
  readonly nlbPropagationMs: number;
  /**
   * A GWLB keeps existing flows on a deregistered target until they were idle for 350 s.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
   */
  readonly gwlbIdleMs: number;
  /** A classic load balancer reports the end itself, but its own machines learn of it one by one. */
  readonly classicMinimumMs: number;
}

/** A deregistration is read back this long after it was accepted: earlier reads are often old. */
export const READ_BACK_MS = 7_000;
/** Or at the hold's end, when that comes so soon that one poll can serve both. */
const READ_BACK_LATEST_MS = 10_000;
/** Every pool that still holds a node is read at least this often: controllers put nodes back. */
const VERIFY_INTERVAL_MS = 60_000;
/** A read that contradicts what was asked is repeated after this long, and so is a failed one. */
export const REPEAT_MS = 5_000;
/** Classic draining ends when the last request has: at an unknown time, so it is polled. */
const CLASSIC_INTERVAL_MS = 5_000;
/** The same of what an earlier try has deregistered, and that is many pools. */
const EARLIER_INTERVAL_MS = 15_000;
/** Still listed as live this long after AWS said yes: not an old read, the call did nothing. */
export const STALE_READ_MAX_MS = 20_000;
/** Looks within the same second share one call. */
const POLL_GRID_MS = 1_000;

/** What decides how long a pool may go on sending traffic. */
export type HeldBy = Pick<PoolTerms, "drainMs" | "flowsIdleMs" | "othersMayIdleLonger" | "movesFlows"> & {
  readonly kind: LoadBalancerKind;
};

/** The part of a pool and its terms that decides. */
export function heldBy({ kind }: Pick<Pool, "kind">, terms: PoolTerms): HeldBy {
  const { drainMs, flowsIdleMs, othersMayIdleLonger, movesFlows } = terms;
  return {
    kind,
    drainMs,
    ...(flowsIdleMs === undefined ? {} : { flowsIdleMs }),
    ...(othersMayIdleLonger === undefined ? {} : { othersMayIdleLonger }),
    ...(movesFlows === undefined ? {} : { movesFlows }),
  };
}

/** One registration on its way out. Times are milliseconds since the epoch. */
export interface HoldProgress {
  /** When the deregistration was acknowledged, or when it was found draining already. */
  readonly since: number;
  /** Whether it has been seen draining or absent since then, and not registered again after that. */
  readonly seenLeaving: boolean;
  /**
   * An earlier try had deregistered it before `since`, at an unknown time: once it is listed no more its delay is over, and
   * the rest is the allowance.
   */
  readonly isEarlier?: true;
  /** Whether it was absent at the last poll. */
  readonly wasAbsent?: boolean;
  /** Whether it was registered again at the last poll, and it is not known yet whether it is still the node's. */
  readonly wasBack?: boolean;
  readonly lastPoll?: number;
  /** Absent: it is not known that its traffic has ended. */
  readonly trafficEnd?: TrafficEnd;
}

/** What the agent on the node has shown: no connection is left. Times are milliseconds since the epoch. */
export interface TrafficEnd {
  /** From then on no count had an open connection. */
  readonly idleFrom: number;
  /** When that was long enough. */
  readonly provenAt: number;
  /** When the last count came. */
  readonly seenAt: number;
}

/** Why a hold did not end early, although the agent on the node has reported. */
export type NotEarly = "connections-open" | "never-seen" | "not-long-enough";

/** Of a hold that is over. Both absent: no agent has reported. */
export interface EarlyEnd {
  /** It ended early: for how long there was no connection, in milliseconds. */
  readonly idleMs?: number;
  readonly notEarly?: NotEarly;
}

/** A poll ends a hold early only if a count has come so shortly before it: an agent that is silent proves nothing. */
const TRAFFIC_END_VALID_MS = 30_000;

/** How long `pool` may go on sending traffic after a deregistration, in milliseconds. For a classic one: at most. */
export function holdMs(pool: HeldBy, allowances: HoldAllowances): number {
  switch (pool.kind) {
    case "alb":
      return Math.max(pool.drainMs, allowances.albPropagationMs);
    case "nlb":
      return Math.max(pool.drainMs, allowances.nlbPropagationMs);
    case "gwlb":
      return gwlbHoldMs(pool, allowances);
    case "classic":
      return Math.max(pool.drainMs, allowances.classicMinimumMs);
    case "unknown":
      return Math.max(propagationMs("unknown", allowances), gwlbHoldMs(pool, allowances), allowances.gwlbIdleMs);
    case "unattached":
      // No load balancer uses the group, so nothing is to be waited for but the confirmation.
      return 0;
    default:
      return pool.kind satisfies never;
  }
}

/**
 * Existing flows stay until they were idle, or move to another target at the end of the delay. New flows stop before.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
 */
function gwlbHoldMs(pool: HeldBy, allowances: HoldAllowances): number {
  const { drainMs, flowsIdleMs, othersMayIdleLonger, movesFlows } = pool;
  const idleMs = Math.max(
    flowsIdleMs ?? 0,
    flowsIdleMs === undefined || othersMayIdleLonger ? allowances.gwlbIdleMs : 0,
  );
  const flowsMs = movesFlows === true ? 0 : idleMs;
  return Math.max(drainMs, propagationMs("gwlb", allowances), flowsMs);
}

/** How long new requests or flows may still come after a deregistration, in milliseconds. */
export function propagationMs(kind: LoadBalancerKind, allowances: HoldAllowances): number {
  switch (kind) {
    case "alb":
      return allowances.albPropagationMs;
    case "nlb":
      return allowances.nlbPropagationMs;
    case "gwlb":
      // New flows stop as on an NLB, its sibling; the 350 s are about flows that exist.
      return Math.min(allowances.nlbPropagationMs, allowances.gwlbIdleMs);
    case "classic":
      return allowances.classicMinimumMs;
    case "unknown":
      return Math.max(allowances.albPropagationMs, allowances.nlbPropagationMs);
    case "unattached":
      return 0;
    default:
      return kind satisfies never;
  }
}

/** When the pool may have released this registration at the earliest. */
export function mayEndAt(pool: HeldBy, progress: HoldProgress, allowances: HoldAllowances): number {
  return progress.since + minimumMs(pool, progress, allowances);
}

/** When to poll the pool next on behalf of this registration. Nearby polls fall on the same moment. */
export function nextPoll(pool: HeldBy, progress: HoldProgress, allowances: HoldAllowances): number {
  const { since, lastPoll } = progress;
  const end = since + holdMs(pool, allowances);
  const earliestEnd = mayEndAt(pool, progress, allowances);
  const { provenAt = Number.POSITIVE_INFINITY } = progress.trafficEnd ?? {};
  let at: number;
  if (Number.isFinite(provenAt) && (lastPoll ?? 0) < provenAt) at = provenAt;
  else if (lastPoll === undefined) at = firstPoll(pool, since, earliestEnd);
  else if (!progress.seenLeaving || lastPoll >= end) at = lastPoll + REPEAT_MS;
  else if (pool.kind === "classic") at = nextPollForEnd(lastPoll, earliestEnd, CLASSIC_INTERVAL_MS);
  else if (progress.isEarlier === true) at = Math.min(end, nextPollForEnd(lastPoll, earliestEnd, EARLIER_INTERVAL_MS));
  else at = Math.min(end, lastPoll + VERIFY_INTERVAL_MS);
  return Math.ceil(at / POLL_GRID_MS) * POLL_GRID_MS;
}

/** Its end is unknown: it is polled once it may have ended. */
function nextPollForEnd(lastPoll: number, earliestEnd: number, intervalMs: number): number {
  return Math.min(lastPoll + VERIFY_INTERVAL_MS, Math.max(earliestEnd, lastPoll + intervalMs));
}

function firstPoll(pool: HeldBy, since: number, earliestEnd: number): number {
  const endsSoon = pool.kind !== "unattached" && earliestEnd - since <= READ_BACK_LATEST_MS;
  return endsSoon ? earliestEnd : since + READ_BACK_MS;
}

/**
 * - `over`: the pool has released it.
 * - `idle`: the same, before its time: no connection is left on the node.
 * - `wait`: poll again later.
 * - `back`: another program registered it again.
 * - `anew`: another program registered it again and has deregistered it since: the hold begins again.
 * - `ignored`: the deregistration was acknowledged and did nothing.
 */
export type HoldVerdict = "over" | "idle" | "wait" | "back" | "anew" | "ignored";

/** What a poll at `at` that saw `state` means for a registration. `isAnothers`: its address is another machine's by now. */
export function judge(
  pool: HeldBy,
  progress: HoldProgress,
  poll: { readonly state: RegistrationState; readonly at: number; readonly isAnothers?: true },
  allowances: HoldAllowances,
): HoldVerdict {
  const verdict = judgeByTime(pool, progress, poll, allowances);
  // A registration that is live, or was between two polls, may get requests again.
  const isLeaving = poll.state === "draining" || poll.state === "absent" || poll.state === "unlisted";
  return verdict === "wait" && isLeaving && hasTrafficEnded(pool, progress, poll.at, allowances) ? "idle" : verdict;
}

/**
 * Whether the agent on the node has shown that no request is under way, at a time after which no new one comes. Only behind an
 * Application Load Balancer: decisions/0058-early-release.md.
 */
function hasTrafficEnded(
  { kind }: HeldBy,
  { since, trafficEnd }: HoldProgress,
  at: number,
  allowances: HoldAllowances,
): boolean {
  if (kind !== "alb" || trafficEnd === undefined) return false;
  const { idleFrom, provenAt, seenAt } = trafficEnd;
  return idleFrom >= since + propagationMs(kind, allowances) && at >= provenAt && at <= seenAt + TRAFFIC_END_VALID_MS;
}

function judgeByTime(
  pool: HeldBy,
  progress: HoldProgress,
  poll: Parameters<typeof judge>[2],
  allowances: HoldAllowances,
): HoldVerdict {
  switch (poll.state) {
    case "initial":
      return "back";
    case "live":
      if (progress.seenLeaving || progress.wasBack === true) return "back";
      return poll.at - progress.since >= STALE_READ_MAX_MS ? "ignored" : "wait";
    case "draining":
      // How long AWS shows it is no sign: an NLB's targets were seen draining for minutes past their delay.
      if (progress.wasAbsent === true || progress.wasBack === true) return "anew";
      // Only a classic load balancer's word for draining is about traffic; elsewhere it is a timer.
      return pool.kind !== "classic" && poll.at >= progress.since + holdMs(pool, allowances) ? "over" : "wait";
    case "absent":
      if (progress.wasBack === true && poll.isAnothers !== true) return "anew";
      return poll.at >= mayEndAt(pool, progress, allowances) ? "over" : "wait";
    case "unlisted":
      if (progress.wasBack === true) return "anew";
      // Nothing says that the requests in flight have ended, so they get all their time.
      return poll.at >= progress.since + holdMs(pool, allowances) ? "over" : "wait";
    default:
      return poll.state satisfies never;
  }
}

/**
 * Absence from AWS's list shortens no hold, except on a classic load balancer, where it is the signal, and where nothing
 * knows when the hold began.
 */
function minimumMs(pool: HeldBy, { isEarlier }: HoldProgress, allowances: HoldAllowances): number {
  if (pool.kind === "classic") return allowances.classicMinimumMs;
  return holdMs(isEarlier === true ? { ...pool, drainMs: 0 } : pool, allowances);
}

/** How long a pool may go on sending traffic that lists a registration no more: its delay has passed by then. */
export function remainingWhenUnlistedMs(kind: LoadBalancerKind, allowances: HoldAllowances): number {
  return holdMs({ kind, drainMs: 0 }, allowances);
}
