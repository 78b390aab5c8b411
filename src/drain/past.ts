import { keyOf, type Registration } from "./cloud-provider.ts";
import type { DrainRecord } from "./drain-record.ts";
import { type DrainTimes, drainLimit } from "./plan.ts";
import type { AskedRequest } from "./request.ts";

/** No drain takes longer, whatever its callers' timeouts: what is older nobody waits for. */
const RESUMED_WITHIN_MS = 86_400_000;

/** What an earlier process has done about a registration. */
export interface Past {
  /** Deregistered then, in milliseconds since the epoch. */
  readonly heldSince: number;
  /** For how long it was held. Absent: it still is to be. */
  readonly heldMs?: number;
  readonly cameBack: number;
  /** The drain had deregistered it, whoever else had before. */
  readonly isOurs?: true;
  /** It is listed as draining now. */
  readonly isDraining?: true;
  /** See `HoldProgress`. */
  readonly isEarlier?: true;
}

/** Undefined: nothing. */
export type PastOf = (registration: Registration) => Past | undefined;

/** What an earlier process has left of a drain. */
export interface Left {
  /** Deregistered: held since then, or released already. */
  readonly past: readonly Registration[];
  readonly pastOf: PastOf;
  /** Whether one that is found now has to go. What was released is listed as draining for minutes. */
  readonly isToLeave: (found: Registration) => boolean;
  /** Found, without a word of an accepted deregistration. */
  readonly open: readonly Registration[];
  /** As it was found then, where it drains now and did not: nobody but this drain is known to have deregistered it. */
  readonly asFoundThen: (found: Registration) => Registration;
}

export function leftOf({ registrations }: DrainRecord): Left {
  const known = registrations.filter((one) => one !== undefined);
  const byRegistration = new Map(known.map((one) => [one.registration, one]));
  const out = known.filter(({ state, since }) => state !== "open" && since !== undefined);
  const pastOf: PastOf = (registration) => {
    const { state, since, releasedAt, cameBack = 0, isOurs } = byRegistration.get(registration) ?? {};
    if (state === undefined || state === "open" || since === undefined) return undefined;
    const past = { heldSince: since, cameBack, ...(isOurs && { isOurs }) };
    return state === "holding" ? past : { ...past, heldMs: Math.max(0, (releasedAt ?? since) - since) };
  };
  const released = new Set(
    out.filter(({ state }) => state === "released").map(({ registration }) => keyOf(registration)),
  );
  const open = known
    .filter(({ registration }) => pastOf(registration) === undefined)
    .map(({ registration }) => registration);
  const foundLive = new Map(open.filter(({ state }) => state !== "draining").map((one) => [keyOf(one), one]));
  return {
    past: out.map(({ registration }) => registration),
    pastOf,
    isToLeave: (found) => found.state !== "draining" || !released.has(keyOf(found)),
    open,
    asFoundThen: (found) => (found.state === "draining" ? (foundLive.get(keyOf(found)) ?? found) : found),
  };
}

/** Nothing was heard of it for so long that its node may have been put to use again. */
export function isStale({ entries }: DrainRecord, now: number): boolean {
  return now - (entries.at(-1)?.at ?? 0) > RESUMED_WITHIN_MS;
}

/** The one who waits longest first: whoever's time is up ends the drain only where nobody else waits. */
export function mostPatientFirst(requests: readonly AskedRequest[], times: DrainTimes): readonly AskedRequest[] {
  const until = (asked: AskedRequest) =>
    drainLimit({ startedAt: asked.askedAt, deadline: undefined, waiting: [asked], times })?.at ?? Number.MAX_VALUE;
  return [...requests].sort((a, b) => until(b) - until(a));
}
