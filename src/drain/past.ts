import { keyOf, type Registration } from "./cloud-provider.ts";
import { type DrainRecord, drainRecord, type RecordedRegistration } from "./drain-record.ts";
import type { EndOfDrain, Ledger, RememberedDrain } from "./ledger.ts";
import { HOLD_MAX_MS } from "./memory.ts";
import type { EndedDrain } from "./outcome.ts";
import { type DrainTimes, drainLimit } from "./plan.ts";
import { isOut, type RegistrationState } from "./registration-state.ts";
import type { AskedRequest } from "./request.ts";

/** No drain takes longer, whatever its callers' timeouts: no caller waits for an older one. */
const RESUMED_WITHIN_MS = 86_400_000;
/** Nothing is announced so long before or after: such a deadline is a wrong number, and would end the drain at once. */
const DEADLINE_WITHIN_MS = 400 * 86_400_000;

/** What an earlier process has done about a registration. */
export interface Past extends RegistrationState {
  /** Deregistered then, in milliseconds since the epoch. */
  readonly since: number;
  /** It is listed as draining now. */
  readonly isDraining?: true;
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
  /** Every pool had been asked then, and all that was done since is known. */
  readonly hadSearched: boolean;
}

/** `records`: of one node. Of a registration that several have, the one that is to be held longest decides. */
export function resumedStateOf(...records: readonly DrainRecord[]): ResumedState {
  const known = heldLongest(records);
  const byRegistration = new Map(known.map((one) => [one.registration, one]));
  const out = known.filter(isOut);
  const pastOf: PastOf = (registration) => {
    const one = byRegistration.get(registration);
    if (one?.since === undefined || !isOut(one)) return undefined;
    const { state, since, heldMs, cameBack, isOurs, isEarlier, unknownUntil } = one;
    const past = { since, cameBack, ...(isOurs && { isOurs }) };
    // It may have been deregistered again meanwhile.
    if (unknownUntil !== undefined) return { ...past, state: "holding", since: Math.max(since, unknownUntil) };
    return { ...past, state, ...(heldMs !== undefined && { heldMs }), ...(isEarlier && { isEarlier }) };
  };
  const isReleased = ({ state, unknownUntil }: RecordedRegistration) =>
    state === "released" && unknownUntil === undefined;
  const released = new Set(out.filter(isReleased).map(({ registration }) => keyOf(registration)));
  const open = known
    .filter(({ registration }) => pastOf(registration) === undefined)
    .map(({ registration }) => registration);
  const foundLive = new Map(open.filter(({ state }) => state !== "draining").map((one) => [keyOf(one), one]));
  return {
    past: out.map(({ registration }) => registration),
    pastOf,
    mustGo: (found) => found.state !== "draining" || !released.has(keyOf(found)),
    open,
    hadSearched: records.every(
      ({ entries, isConsistent }) => isConsistent && entries.some(({ type }) => type === "planned"),
    ),
    asFoundThen: (found) => (found.state === "draining" ? (foundLive.get(keyOf(found)) ?? found) : found),
  };
}

function heldLongest(records: readonly DrainRecord[]): readonly RecordedRegistration[] {
  const longest = new Map<string, RecordedRegistration>();
  for (const one of records.flatMap(({ registrations }) => registrations)) {
    if (one === undefined) continue;
    const known = longest.get(keyOf(one.registration));
    if (known === undefined || isHeldLonger(one, known)) longest.set(keyOf(one.registration), one);
  }
  return [...longest.values()];
}

/** What is open is held from now on, or is still to be deregistered. */
function isHeldLonger(one: RecordedRegistration, other: RecordedRegistration): boolean {
  const rank = (known: RecordedRegistration) =>
    !isOut(known) ? 2 : known.state === "holding" || known.unknownUntil !== undefined ? 1 : 0;
  const since = (held: RecordedRegistration) => Math.max(held.since ?? 0, held.unknownUntil ?? 0);
  return rank(one) === rank(other) ? since(one) > since(other) : rank(one) > rank(other);
}

/** Nothing was heard of it for so long that its node may have been put to use again. */
export function isStale({ entries }: DrainRecord, now: number): boolean {
  return now - entries.reduce((latest, { at }) => Math.max(latest, at), 0) > RESUMED_WITHIN_MS;
}

/** Those of each node, in the order in which they came. What is only to be undone, or is stale, is alone. */
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

/** What the requests of a drain still ask for: where entries are missing, so may be a request that insists. */
export function requestsOf({ requests, isConsistent }: DrainRecord): readonly AskedRequest[] {
  return requests.map(({ deadline, holdsWhile, ...asked }) => ({
    ...asked,
    ...(deadline === undefined || Math.abs(deadline - asked.askedAt) > DEADLINE_WITHIN_MS ? {} : { deadline }),
    ...(holdsWhile === undefined || !isConsistent ? {} : { holdsWhile }),
  }));
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
      unreleased.set(key, { registration, past: { state: "holding", since: heldSince, cameBack } });
    }
  }
  return unreleased;
}

/**
 * Until when earlier drains were to hold what their entries do not name any more, in milliseconds since the epoch. Undefined:
 * there is nothing like that.
 */
export function lostHeldUntil(nodeId: string, ledger: Pick<Ledger, "remembered">, now: number): number | undefined {
  const until = [...shortDrains(ledger.remembered(nodeId), now)].flatMap((memory) => memory.lostHeldUntil ?? []);
  return until.length === 0 ? undefined : Math.max(...until);
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
