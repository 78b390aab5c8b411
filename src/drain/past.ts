import { keyOf, type Registration } from "./cloud-provider.ts";
import { type DrainRecord, drainRecord } from "./drain-record.ts";
import type { EndOfDrain, Ledger, RememberedDrain } from "./ledger.ts";
import { HOLD_MAX_MS } from "./memory.ts";
import type { EndedDrain } from "./outcome.ts";
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
  /** Every pool had been asked then. */
  readonly hadSearched: boolean;
}

export function resumedStateOf({ registrations, entries }: DrainRecord): ResumedState {
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
    hadSearched: entries.some(({ type }) => type === "planned"),
    asFoundThen: (found) => (found.state === "draining" ? (foundLive.get(keyOf(found)) ?? found) : found),
  };
}

/** Nothing was heard of it for so long that its node may have been put to use again. */
export function isStale({ entries }: DrainRecord, now: number): boolean {
  return now - (entries.at(-1)?.at ?? 0) > RESUMED_WITHIN_MS;
}

/** How the node's last drain ended. A ledger that can't be read leaves out what only it knows. */
export async function lastDrainOf(
  nodeId: string,
  ledger: Pick<Ledger, "listOf" | "read">,
  signal: AbortSignal,
): Promise<EndedDrain | undefined> {
  const last = ledger.listOf(nodeId).find(({ end }) => end !== undefined);
  if (last?.end === undefined) return undefined;
  const { drain: drainId, startedAt, reasons, end, undo } = last;
  const entries = await ledger.read(drainId, signal).catch(() => undefined);
  signal.throwIfAborted();
  const outcome = entries && drainRecord(entries)?.end?.outcome;
  const ended = { drainId, startedAt, reasons, endedAt: end.at, status: end.status };
  return { ...ended, ...(undo && { undo }), ...(outcome && { outcome }) };
}

/** The longest timeout first: a passed timeout ends the drain only if no other caller waits. */
export function mostPatientFirst(requests: readonly AskedRequest[], times: DrainTimes): readonly AskedRequest[] {
  const until = (asked: AskedRequest) =>
    drainLimit({ startedAt: asked.askedAt, deadline: undefined, waiting: [asked], times })?.at ?? Number.MAX_VALUE;
  return [...requests].sort((a, b) => until(b) - until(a));
}

/** They end once nothing gets traffic any more. */
const WHOLE: ReadonlySet<EndOfDrain["status"]> = new Set(["drained", "nothing-registered", "instance-gone"]);

/** What earlier drains of a node were still holding when they ended, by its key. */
export type Unreleased = ReadonlyMap<string, { readonly registration: Registration; readonly past: Past }>;

/** The registrations of a node that are still to be held because its last drains ended short: the cloud may list them no more. */
export function unreleasedOf(nodeId: string, ledger: Pick<Ledger, "remembered">, now: number): Unreleased {
  const unreleased = new Map<string, { readonly registration: Registration; readonly past: Past }>();
  // What an undo has registered again was held for nothing.
  const registeredAgain = new Set<string>();
  for (const memory of shortDrains(ledger.remembered(nodeId), now)) {
    for (const key of memory.registeredAgain) registeredAgain.add(key);
    for (const { registration, heldSince, holdMs, cameBack } of memory.held) {
      const key = keyOf(registration);
      const isOver = heldSince + holdMs <= now;
      if (isOver || registeredAgain.has(key) || unreleased.has(key)) continue;
      unreleased.set(key, { registration, past: { heldSince, cameBack } });
    }
  }
  return unreleased;
}

/** Those since the last one that did not end short, the newest first. A refused one has held nothing. */
function* shortDrains(memories: readonly RememberedDrain[], now: number): Generator<RememberedDrain> {
  for (const memory of memories) {
    const { end } = memory;
    if (end === undefined || end.status === "refused") continue;
    if (WHOLE.has(end.status) || end.at <= now - HOLD_MAX_MS) return;
    yield memory;
  }
}
