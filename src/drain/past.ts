import { keyOf, type Registration } from "./cloud-provider.ts";
import { type DrainRecord, drainRecord } from "./drain-record.ts";
import type { EndOfDrain, Ledger } from "./ledger.ts";
import { type DrainTimes, drainLimit } from "./plan.ts";
import type { AskedRequest } from "./request.ts";

/** No drain takes longer, whatever its callers' timeouts: no caller waits for an older one. */
const RESUMED_WITHIN_MS = 86_400_000;

/** What an earlier process has done about a registration. */
export interface Past {
  /** Deregistered then, in milliseconds since the epoch. */
  readonly heldSince: number;
  /** For how long it was held. Absent: it still is to be. */
  readonly heldMs?: number;
  readonly cameBack: number;
  /** The drain had deregistered it, even if another program had before. */
  readonly isOurs?: true;
  /** It is listed as draining now. */
  readonly isDraining?: true;
  /** See `HoldProgress`. */
  readonly isEarlier?: true;
}

/** Undefined: nothing. */
export type PastOf = (registration: Registration) => Past | undefined;

/** What remained of a drain when an earlier process ended. */
export interface ResumedState {
  /** Deregistered: held since then, or released already. */
  readonly past: readonly Registration[];
  readonly pastOf: PastOf;
  /** Whether one that is found now has to go. What was released is listed as draining for minutes. */
  readonly mustGo: (found: Registration) => boolean;
  /** Found, without a word of an acknowledged deregistration. */
  readonly open: readonly Registration[];
  /** As it was found then, where it drains now and did not: only this drain is known to have deregistered it. */
  readonly asFoundThen: (found: Registration) => Registration;
}

export function resumedStateOf({ registrations }: DrainRecord): ResumedState {
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
    mustGo: (found) => found.state !== "draining" || !released.has(keyOf(found)),
    open,
    asFoundThen: (found) => (found.state === "draining" ? (foundLive.get(keyOf(found)) ?? found) : found),
  };
}

/** Nothing was heard of it for so long that its node may have been put to use again. */
export function isStale({ entries }: DrainRecord, now: number): boolean {
  return now - (entries.at(-1)?.at ?? 0) > RESUMED_WITHIN_MS;
}

/** The longest timeout first: a passed timeout ends the drain only if no other caller waits. */
export function mostPatientFirst(requests: readonly AskedRequest[], times: DrainTimes): readonly AskedRequest[] {
  const until = (asked: AskedRequest) =>
    drainLimit({ startedAt: asked.askedAt, deadline: undefined, waiting: [asked], times })?.at ?? Number.MAX_VALUE;
  return [...requests].sort((a, b) => until(b) - until(a));
}

/** The longest deregistration delay that AWS takes. Every older hold is over. */
const HOLD_MAX_MS = 3_600_000;
/** Who asks again every few seconds has tried this often: what the first of so many drains held is over by then, or nearly. */
const READS_MAX = 50;

/** They end once nothing gets traffic any more. */
const WHOLE: ReadonlySet<EndOfDrain["status"]> = new Set(["drained", "nothing-registered", "instance-gone"]);

/** What earlier drains of a node were still holding when they ended, by its key. */
export type Unreleased = ReadonlyMap<string, { readonly registration: Registration; readonly past: Past }>;

/**
 * The registrations of a node that are still to be held because its last drains ended short: the cloud may list it no more. Empty where the
 * ledger can't be read: that stops no drain.
 */
export async function unreleasedOf(
  nodeId: string,
  ledger: Ledger,
  now: number,
  signal: AbortSignal,
): Promise<Unreleased> {
  const unreleased = new Map<string, { readonly registration: Registration; readonly past: Past }>();
  const registeredAgain = new Set<string>();
  for (const drain of shortDrains(nodeId, ledger, now)) {
    const entries = await ledger.read(drain, signal).catch(() => undefined);
    signal.throwIfAborted();
    const record = entries && drainRecord(entries);
    for (const key of undoneOf(record)) registeredAgain.add(key);
    for (const [key, held] of heldAtTheEndOf(record, now))
      if (!registeredAgain.has(key) && !unreleased.has(key)) unreleased.set(key, held);
  }
  return unreleased;
}

/** Those since the last one that did not end short, the newest first. A refused one has held nothing. */
function shortDrains(nodeId: string, ledger: Ledger, now: number): readonly string[] {
  const drains: string[] = [];
  for (const { drain, end } of ledger.listOf(nodeId)) {
    if (end === undefined || end.status === "refused") continue;
    if (WHOLE.has(end.status) || end.at <= now - HOLD_MAX_MS || drains.length === READS_MAX) break;
    drains.push(drain);
  }
  return drains;
}

function* heldAtTheEndOf(
  record: DrainRecord | undefined,
  now: number,
): Generator<readonly [string, { readonly registration: Registration; readonly past: Past }]> {
  const { at, outcome } = record?.end ?? {};
  if (at === undefined || outcome === undefined || !("registrations" in outcome)) return;
  for (const { registration, state, heldMs, holdMs = HOLD_MAX_MS, cameBack } of outcome.registrations) {
    const heldSince = at - heldMs;
    if (state === "holding" && heldSince + holdMs > now)
      yield [keyOf(registration), { registration, past: { heldSince, cameBack } }];
  }
}

/** What an undo has registered again was held for nothing. */
function undoneOf(record: DrainRecord | undefined): readonly string[] {
  return (record?.registrations ?? []).flatMap((known) => (known?.isBack ? [keyOf(known.registration)] : []));
}
