import type { PoolTerms, RegistrationState } from "./cloud-provider.ts";

/** A deregistration is read back this long after it was accepted, because earlier reads often return the old state. */
export const READ_BACK_MS = 7_000;
/** If the hold ends within this time, the read-back waits for its end, so that one poll serves both. */
const READ_BACK_LATEST_MS = 10_000;
/** Every pool that still holds a node is read at least this often, because controllers register nodes again. */
const VERIFY_INTERVAL_MS = 60_000;
/** A read that contradicts the request, or that failed, is repeated after this time. */
export const REPEAT_MS = 5_000;
/**
 * Where the cloud reports the end of the traffic, the time of that end is unknown, so the pool is polled this often.
 */
const REPORTED_END_INTERVAL_MS = 5_000;
/** The same for targets that an earlier try has deregistered, which can be in many pools. */
const EARLIER_INTERVAL_MS = 15_000;
/**
 * If the target is still listed as live this long after the cloud accepted the call, the call has done nothing. A
 * shorter time may be an old read.
 */
export const STALE_READ_MAX_MS = 20_000;
/** Polls within the same second share one call. */
const POLL_GRID_MS = 1_000;

/** What decides for how long a pool may continue to send traffic. */
export type HoldTerms = Pick<
  PoolTerms,
  "holdMs" | "holdAfterDelayMs" | "newTrafficMs" | "endsWhenAbsentMs" | "endsWhenIdle" | "isUnused"
>;

/** The progress of one registration that was deregistered. Times are milliseconds since the epoch. */
export interface HoldProgress {
  /** When the deregistration was acknowledged, or when the target was found draining. */
  readonly since: number;
  /** Whether the target was seen draining or absent since then, and was not registered again after that. */
  readonly seenLeaving: boolean;
  /**
   * An earlier try had deregistered the target before `since`, at an unknown time. When the cloud does not list it any
   * more, its delay is over, and `holdAfterDelayMs` remains.
   */
  readonly isEarlier?: true;
  /** Whether it was absent at the last poll. */
  readonly wasAbsent?: boolean;
  /** Whether it was registered again at the last poll while it was unknown whether the target is still the node's. */
  readonly wasBack?: boolean;
  readonly lastPoll?: number;
  /** Absent: it is not known that its traffic has ended. */
  readonly trafficEnd?: TrafficEnd;
}

/** The agent on the node has shown that no connection remains. Times are milliseconds since the epoch. */
export interface TrafficEnd {
  /** From this moment on, no count had an open connection. */
  readonly idleFrom: number;
  /** When this had lasted long enough. */
  readonly provenAt: number;
  /** When the last count arrived. */
  readonly seenAt: number;
}

/** Why a hold did not end early, although the agent on the node has reported. */
export type NotEarly = "connections-open" | "never-seen" | "not-counted" | "not-long-enough";

/** A poll ends a hold early only if a count arrived within this time before it. A silent agent proves nothing. */
const TRAFFIC_END_VALID_MS = 30_000;

/** The earliest moment at which the pool may have released this registration. */
export function mayEndAt(terms: HoldTerms, progress: HoldProgress): number {
  return progress.since + minimumMs(terms, progress);
}

/** When to poll the pool next for this registration. Nearby polls are moved to the same moment. */
export function nextPoll(terms: HoldTerms, progress: HoldProgress): number {
  const { since, lastPoll } = progress;
  const end = since + terms.holdMs;
  const earliestEnd = mayEndAt(terms, progress);
  const provenAt = progress.trafficEnd?.provenAt;
  let at: number;
  if (provenAt !== undefined && (lastPoll ?? 0) < provenAt) at = provenAt;
  else if (lastPoll === undefined) at = firstPoll(terms, since, earliestEnd);
  else if (!progress.seenLeaving || lastPoll >= end) at = lastPoll + REPEAT_MS;
  else if (terms.endsWhenAbsentMs !== undefined) at = nextPollForEnd(lastPoll, earliestEnd, REPORTED_END_INTERVAL_MS);
  else if (progress.isEarlier === true) at = Math.min(end, nextPollForEnd(lastPoll, earliestEnd, EARLIER_INTERVAL_MS));
  else at = Math.min(end, lastPoll + VERIFY_INTERVAL_MS);
  return Math.ceil(at / POLL_GRID_MS) * POLL_GRID_MS;
}

/** Where the end of the traffic is unknown, the pool is polled from the moment at which the traffic may have ended. */
function nextPollForEnd(lastPoll: number, earliestEnd: number, intervalMs: number): number {
  return Math.min(lastPoll + VERIFY_INTERVAL_MS, Math.max(earliestEnd, lastPoll + intervalMs));
}

function firstPoll({ isUnused }: HoldTerms, since: number, earliestEnd: number): number {
  const endsSoon = isUnused !== true && earliestEnd - since <= READ_BACK_LATEST_MS;
  return endsSoon ? earliestEnd : since + READ_BACK_MS;
}

/**
 * - `over`: the pool has released the target.
 * - `idle`: the same, before its time, because no connection remains on the node.
 * - `wait`: poll again later.
 * - `back`: another program registered the target again.
 * - `anew`: another program registered it again and has deregistered it since, so that the hold begins again.
 * - `ignored`: the deregistration was acknowledged, and did nothing.
 */
export type HoldVerdict = "over" | "idle" | "wait" | "back" | "anew" | "ignored";

/**
 * What a poll at `at` that saw `state` means for a registration. `isAnothers`: its address belongs to another machine
 * now.
 */
export function judge(
  terms: HoldTerms,
  progress: HoldProgress,
  poll: { readonly state: RegistrationState; readonly at: number; readonly isAnothers?: true },
): HoldVerdict {
  const verdict = judgeByTime(terms, progress, poll);
  // A target that is live, or was live between two polls, may get requests again.
  const isLeaving = poll.state === "draining" || poll.state === "absent" || poll.state === "unlisted";
  return verdict === "wait" && isLeaving && hasTrafficEnded(terms, progress, poll.at) ? "idle" : verdict;
}

/**
 * Whether the agent on the node has shown that no request is in progress, at a time after which no new request comes:
 * decisions/0058-early-release.md.
 */
function hasTrafficEnded(
  { endsWhenIdle, newTrafficMs }: HoldTerms,
  { since, trafficEnd }: HoldProgress,
  at: number,
): boolean {
  if (endsWhenIdle !== true || trafficEnd === undefined) return false;
  const { idleFrom, provenAt, seenAt } = trafficEnd;
  return idleFrom >= since + newTrafficMs && at >= provenAt && at <= seenAt + TRAFFIC_END_VALID_MS;
}

function judgeByTime(terms: HoldTerms, progress: HoldProgress, poll: Parameters<typeof judge>[2]): HoldVerdict {
  const isOver = poll.at >= progress.since + terms.holdMs;
  switch (poll.state) {
    case "initial":
      return "back";
    case "live":
      if (progress.seenLeaving || progress.wasBack === true) return "back";
      return poll.at - progress.since >= STALE_READ_MAX_MS ? "ignored" : "wait";
    case "draining":
      // How long the cloud lists a target as draining proves nothing: targets were seen draining for minutes after
      // their delay.
      if (progress.wasAbsent === true || progress.wasBack === true) return "anew";
      // Only where the cloud reports the end of the traffic does "draining" say something about traffic. Elsewhere it
      // is a timer.
      return terms.endsWhenAbsentMs === undefined && isOver ? "over" : "wait";
    case "absent":
      if (progress.wasBack === true && poll.isAnothers !== true) return "anew";
      return poll.at >= mayEndAt(terms, progress) ? "over" : "wait";
    case "unlisted":
      if (progress.wasBack === true) return "anew";
      // Nothing shows that the requests in flight have ended, so they get their whole time.
      return isOver ? "over" : "wait";
    default:
      return poll.state satisfies never;
  }
}

/**
 * Absence from the cloud's list shortens no hold, except where absence is the signal, and where the beginning of the
 * hold is unknown.
 */
function minimumMs({ holdMs, holdAfterDelayMs, endsWhenAbsentMs }: HoldTerms, { isEarlier }: HoldProgress): number {
  return endsWhenAbsentMs ?? (isEarlier === true ? holdAfterDelayMs : holdMs);
}
