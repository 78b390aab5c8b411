import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Pool, PoolHealth, PoolTerms } from "./cloud-provider.ts";
import { HEALTH_CACHED_MS, type Standing } from "./guard.ts";
import { withLimit } from "./limit.ts";
import type { Purpose, Urgency } from "./urgency.ts";

/**
 * If the guard can't learn the health of a pool within this time, the machine that terminates is not kept any longer.
 */
const FIRST_ANSWER_MS = 10_000;
/** A poll notices the end of a hold, and the call with which a hold begins takes time. */
const NOTICE_MS = 5_000;
/** All waiting drains read at the same moments, so that one read serves all. */
const READ_INTERVAL_MS = 5_000;

export interface ReplacementWait {
  readonly pool: Pool;
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  /** The longest wait, in milliseconds. */
  readonly waitMs: number;
  /**
   * When the drain ends at the latest, in milliseconds since the epoch. It is called again each time, because other
   * requests may join.
   */
  readonly mustEndBy: () => number;
  /** Whether a request wants no guard by now. */
  readonly isForced: () => boolean;
  /** Lets the node proceed if enough targets would remain. Otherwise returns what the pool would have without it. */
  readonly goes: (health: PoolHealth, hasWaited: boolean) => Standing | undefined;
  /** Called when the wait begins. */
  readonly waits: (standing: Standing, terms: PoolTerms) => void;
  readonly urgency: (purpose: Purpose) => Urgency;
  readonly onRise: NonNullable<CallFor["onRise"]>;
  readonly drains: NonNullable<CallFor["drains"]>;
}

/**
 * - `gone`: enough targets remain.
 * - `late`: the time is up, or health is unknown.
 * - `forced`: a request wants no guard.
 */
export interface WaitEnd {
  readonly verdict: "gone" | "late" | "forced";
  /** As it was read last. */
  readonly health?: PoolHealth;
}

/**
 * Waits until enough healthy targets would remain in the pool without a node whose machine goes: as long as its hold
 * still fits before the end of its drain, and at most `waitMs`. If health can't be read, there is no wait.
 */
export async function untilEnoughStay(wait: ReplacementWait, signal: AbortSignal): Promise<WaitEnd> {
  const { pool, cloud, clock, waitMs } = wait;
  const since = clock.now();
  const firstBy = since + FIRST_ANSWER_MS;
  // Until it is known whether the node has to wait, it gets traffic that no drain protects.
  const first = callFor("guard");
  const again = callFor("confirm");
  // In most pools enough remain by any count. How the pool works is then read after the deregistration.
  const strict = await within(firstBy, (inTime) => cloud.strictHealthOf(pool, since - HEALTH_CACHED_MS, first(inTime)));
  if (strict !== undefined && wait.goes(strict, false) === undefined) return { verdict: "gone" };
  let health = await within(firstBy, (inTime) => cloud.healthOf(pool, since - HEALTH_CACHED_MS, first(inTime)));
  if (health === undefined) return { verdict: wait.isForced() ? "forced" : "late" };
  if (wait.goes(health, false) === undefined) return { verdict: "gone" };
  const described = await within(firstBy, async (inTime) => [await cloud.describe(pool, first(inTime))]);
  const terms = described?.[0];
  for (let hasWaited = false; ; hasWaited = true) {
    const standing = wait.goes(health, hasWaited);
    if (standing === undefined) return { verdict: "gone" };
    const until = Math.min(since + waitMs, lastMoment(terms));
    const now = clock.now();
    if (wait.isForced()) return { verdict: "forced" };
    if (now >= until || terms === undefined) return { verdict: "late", health };
    if (!hasWaited) wait.waits(standing, terms);
    const next = (Math.floor(now / READ_INTERVAL_MS) + 1) * READ_INTERVAL_MS;
    await clock.sleep(Math.min(next, until) - now, signal);
    health = (await within(until, (inTime) => cloud.healthOf(pool, clock.now(), again(inTime)))) ?? health;
  }

  function callFor(purpose: Purpose): (inTime: AbortSignal) => CallFor {
    return (signal) => ({ urgency: () => wait.urgency(purpose), onRise: wait.onRise, signal, drains: wait.drains });
  }

  /** The latest moment for the hold to begin and still end in time. */
  function lastMoment(terms: PoolTerms | undefined): number {
    const mustEndBy = wait.mustEndBy();
    if (!Number.isFinite(mustEndBy) || terms === undefined) return mustEndBy;
    return mustEndBy - NOTICE_MS - terms.holdMs;
  }

  /** Undefined if it fails, or has no answer by then. */
  async function within<T>(at: number, work: (inTime: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await withLimit({ clock, limit: { reason: "timeout", at }, signal }, work);
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }
}
