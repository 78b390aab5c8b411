import { keyOf, type Registration } from "./cloud-provider.ts";
import { type DrainRecord, drainRecord, type RecordedRegistration } from "./drain-record.ts";
import type { PastOf } from "./known-before.ts";
import type { Ledger } from "./ledger.ts";
import type { EndedDrain } from "./outcome.ts";
import { type DrainTimes, drainLimit } from "./plan.ts";
import { isOut } from "./registration-state.ts";
import type { AskedRequest } from "./request.ts";

/** No drain takes longer, whatever the timeouts of its callers, so that no caller waits for an older one. */
const RESUMED_WITHIN_MS = 86_400_000;
/**
 * No event announces anything so long before or after. Such a deadline is a wrong number, and would end the drain at
 * once.
 */
const DEADLINE_WITHIN_MS = 400 * 86_400_000;

/** What remained of a drain when an earlier process ended. */
export interface ResumedState {
  /** Deregistered: held since then, or released already. */
  readonly past: readonly Registration[];
  readonly pastOf: PastOf;
  /** Found, without an entry of an acknowledged deregistration. */
  readonly open: readonly Registration[];
  /** Every pool was read by then, and everything that was done since is known. */
  readonly hadSearched: boolean;
  /** All its requests accepted refusal. */
  readonly isVoluntary: boolean;
}

/** `records`: those of one node. If several have the same registration, the one with the longest hold decides. */
export function resumedStateOf(...records: readonly DrainRecord[]): ResumedState {
  const known = heldLongest(records);
  const byRegistration = new Map(known.map((one) => [one.registration, one]));
  const out = known.filter(isOut);
  const pastOf: PastOf = (registration) => {
    const one = byRegistration.get(registration);
    if (one?.since === undefined || !isOut(one)) return undefined;
    const { state, since, heldMs, cameBack, isOurs, isEarlier, unknownUntil } = one;
    const past = { since, cameBack, isOurs };
    // It may have been deregistered again meanwhile.
    if (unknownUntil !== undefined) return { ...past, state: "holding", since: Math.max(since, unknownUntil) };
    return { ...past, state, ...(heldMs !== undefined && { heldMs }), ...(isEarlier && { isEarlier }) };
  };
  const open = known
    .filter(({ registration }) => pastOf(registration) === undefined)
    .map(({ registration }) => registration);
  return {
    past: out.map(({ registration }) => registration),
    pastOf,
    open,
    hadSearched: records.every(
      ({ entries, isConsistent }) => isConsistent && entries.some(({ type }) => type === "planned"),
    ),
    isVoluntary: records.every(({ requests }) => requests.every(({ isVoluntary }) => isVoluntary === true)),
  };
}

function heldLongest(records: readonly DrainRecord[]): readonly RecordedRegistration[] {
  const longest = new Map<string, RecordedRegistration>();
  for (const one of records.flatMap(({ registrations }) => registrations)) {
    if (one === undefined) continue;
    const known = longest.get(keyOf(one.registration));
    const held = known === undefined || isHeldLonger(one, known) ? one : known;
    // The drain that found it draining continues as the one that deregistered it.
    const isOurs = one.isOurs || known?.isOurs === true;
    longest.set(keyOf(one.registration), held.isOurs === isOurs ? held : { ...held, isOurs });
  }
  return [...longest.values()];
}

/** An open registration is held from now on, or has still to be deregistered. */
function isHeldLonger(one: RecordedRegistration, other: RecordedRegistration): boolean {
  const rank = (known: RecordedRegistration) =>
    !isOut(known) ? 2 : known.state === "holding" || known.unknownUntil !== undefined ? 1 : 0;
  const since = (held: RecordedRegistration) => Math.max(held.since ?? 0, held.unknownUntil ?? 0);
  return rank(one) === rank(other) ? since(one) > since(other) : rank(one) > rank(other);
}

/** The last entry is so old that the node may be in use again. */
export function isStale({ entries }: DrainRecord, now: number): boolean {
  return now - entries.reduce((latest, { at }) => Math.max(latest, at), 0) > RESUMED_WITHIN_MS;
}

/** The records of each node, in order. A drain that only has to be undone, or that is too old, is alone. */
export function resumedTogether(
  records: readonly DrainRecord[],
  now: number,
): readonly (readonly [DrainRecord, ...DrainRecord[]])[] {
  const groups = new Map<string, [DrainRecord, ...DrainRecord[]]>();
  for (const record of records) {
    const { id, node, undo } = record;
    const isAlone = (undo !== undefined && undo.end === undefined) || isStale(record, now);
    const known = groups.get(isAlone ? `drain ${id}` : node.id);
    if (known === undefined) groups.set(isAlone ? `drain ${id}` : node.id, [record]);
    else known.push(record);
  }
  return [...groups.values()];
}

/**
 * The requests that a drain still has to answer. If entries are missing, a request that must not be refused may be
 * missing too.
 */
export function requestsOf({ requests, isConsistent }: DrainRecord): readonly AskedRequest[] {
  return requests.map(({ deadline, holdsWhile, ...asked }) => ({
    ...asked,
    ...(deadline === undefined || Math.abs(deadline - asked.askedAt) > DEADLINE_WITHIN_MS ? {} : { deadline }),
    ...(holdsWhile === undefined || !isConsistent ? {} : { holdsWhile }),
  }));
}

/** How the node's last drain ended. If the ledger can't be read, what only the ledger knows is missing. */
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

/** The longest timeout first, because a timeout that has passed ends the drain only if no other caller waits. */
export function mostPatientFirst(requests: readonly AskedRequest[], times: DrainTimes): readonly AskedRequest[] {
  const until = (asked: AskedRequest) =>
    drainLimit({ startedAt: asked.askedAt, deadline: undefined, waiting: [asked], times })?.at ?? Number.MAX_VALUE;
  return [...requests].sort((a, b) => until(b) - until(a));
}
