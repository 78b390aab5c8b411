import type { PoolTerms, RegistrationState } from "./cloud-provider.ts";

/** A deregistration is read back this long after it was accepted: earlier reads are often old. */
export const READ_BACK_MS = 7_000;
/** Or at the hold's end, when that comes so soon that one poll can serve both. */
const READ_BACK_LATEST_MS = 10_000;
/** Every pool that still holds a node is read at least this often: controllers put nodes back. */
const VERIFY_INTERVAL_MS = 60_000;
/** A read that contradicts what was asked is repeated after this long, and so is a failed one. */
export const REPEAT_MS = 5_000;
/** Where the cloud reports the end of the traffic, that comes with the last request: at an unknown time, so it is polled. */
const REPORTED_END_INTERVAL_MS = 5_000;
/** The same of what an earlier try has deregistered, and that is many pools. */
const EARLIER_INTERVAL_MS = 15_000;
/** Still listed as live this long after the cloud said yes: not an old read, the call did nothing. */
export const STALE_READ_MAX_MS = 20_000;
/** Looks within the same second share one call. */
const POLL_GRID_MS = 1_000;

/** What decides how long a pool may go on sending traffic. */
export type HoldTerms = Pick<PoolTerms, "holdMs" | "holdAfterDelayMs" | "endsWhenAbsentMs" | "isUnused">;

/** One registration on its way out. Times are milliseconds since the epoch. */
export interface HoldProgress {
  /** When the deregistration was acknowledged, or when it was found draining already. */
  readonly since: number;
  /** Whether it has been seen draining or absent since then, and not registered again after that. */
  readonly seenLeaving: boolean;
  /**
   * An earlier try had deregistered it before `since`, at an unknown time: once it is listed no more its delay is over, and
   * the rest is `holdAfterDelayMs`.
   */
  readonly isEarlier?: true;
  /** Whether it was absent at the last poll. */
  readonly wasAbsent?: boolean;
  /** Whether it was registered again at the last poll, and it is not known yet whether it is still the node's. */
  readonly wasBack?: boolean;
  readonly lastPoll?: number;
}

/** When the pool may have released this registration at the earliest. */
export function mayEndAt(terms: HoldTerms, progress: HoldProgress): number {
  return progress.since + minimumMs(terms, progress);
}

/** When to poll the pool next on behalf of this registration. Nearby polls fall on the same moment. */
export function nextPoll(terms: HoldTerms, progress: HoldProgress): number {
  const { since, lastPoll } = progress;
  const end = since + terms.holdMs;
  const earliestEnd = mayEndAt(terms, progress);
  let at: number;
  if (lastPoll === undefined) at = firstPoll(terms, since, earliestEnd);
  else if (!progress.seenLeaving || lastPoll >= end) at = lastPoll + REPEAT_MS;
  else if (terms.endsWhenAbsentMs !== undefined) at = nextPollForEnd(lastPoll, earliestEnd, REPORTED_END_INTERVAL_MS);
  else if (progress.isEarlier === true) at = Math.min(end, nextPollForEnd(lastPoll, earliestEnd, EARLIER_INTERVAL_MS));
  else at = Math.min(end, lastPoll + VERIFY_INTERVAL_MS);
  return Math.ceil(at / POLL_GRID_MS) * POLL_GRID_MS;
}

/** Its end is unknown: it is polled once it may have ended. */
function nextPollForEnd(lastPoll: number, earliestEnd: number, intervalMs: number): number {
  return Math.min(lastPoll + VERIFY_INTERVAL_MS, Math.max(earliestEnd, lastPoll + intervalMs));
}

function firstPoll({ isUnused }: HoldTerms, since: number, earliestEnd: number): number {
  const endsSoon = isUnused !== true && earliestEnd - since <= READ_BACK_LATEST_MS;
  return endsSoon ? earliestEnd : since + READ_BACK_MS;
}

/**
 * - `over`: the pool has released it.
 * - `wait`: poll again later.
 * - `back`: another program registered it again.
 * - `anew`: another program registered it again and has deregistered it since: the hold begins again.
 * - `ignored`: the deregistration was acknowledged and did nothing.
 */
export type HoldVerdict = "over" | "wait" | "back" | "anew" | "ignored";

/** What a poll at `at` that saw `state` means for a registration. `isAnothers`: its address is another machine's by now. */
export function judge(
  terms: HoldTerms,
  progress: HoldProgress,
  poll: { readonly state: RegistrationState; readonly at: number; readonly isAnothers?: true },
): HoldVerdict {
  const isOver = poll.at >= progress.since + terms.holdMs;
  switch (poll.state) {
    case "initial":
      return "back";
    case "live":
      if (progress.seenLeaving || progress.wasBack === true) return "back";
      return poll.at - progress.since >= STALE_READ_MAX_MS ? "ignored" : "wait";
    case "draining":
      // How long the cloud shows it is no sign: targets were seen draining for minutes past their delay.
      if (progress.wasAbsent === true || progress.wasBack === true) return "anew";
      // Only where the cloud reports the end is its word for draining about traffic; elsewhere it is a timer.
      return terms.endsWhenAbsentMs === undefined && isOver ? "over" : "wait";
    case "absent":
      if (progress.wasBack === true && poll.isAnothers !== true) return "anew";
      return poll.at >= mayEndAt(terms, progress) ? "over" : "wait";
    case "unlisted":
      if (progress.wasBack === true) return "anew";
      // Nothing says that the requests in flight have ended, so they get all their time.
      return isOver ? "over" : "wait";
    default:
      return poll.state satisfies never;
  }
}

/**
 * Absence from the cloud's list shortens no hold, except where it is the signal, and where nothing knows when the hold
 * began.
 */
function minimumMs({ holdMs, holdAfterDelayMs, endsWhenAbsentMs }: HoldTerms, { isEarlier }: HoldProgress): number {
  return endsWhenAbsentMs ?? (isEarlier === true ? holdAfterDelayMs : holdMs);
}
