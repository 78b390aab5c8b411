import { keyOf, type Registration } from "./cloud-provider.ts";
import { type DrainRecord, drainRecord } from "./drain-record.ts";
import type { EndOfDrain, Ledger } from "./ledger.ts";
import type { Past } from "./past.ts";

/** The longest deregistration delay that AWS takes. Of what is older every hold is over. */
const HOLD_MAX_MS = 3_600_000;
/** Who asks again every few seconds has tried this often: what the first of so many drains held is over by then, or nearly. */
const READS_MAX = 50;

/** They end once nothing gets traffic any more. */
const WHOLE: ReadonlySet<EndOfDrain["status"]> = new Set(["drained", "nothing-registered", "instance-gone"]);

/** What earlier drains of a node were still holding when they ended, by its key. */
export type Unreleased = ReadonlyMap<string, { readonly registration: Registration; readonly past: Past }>;

/**
 * What is still to be held of a node because its last drains ended short: the cloud may list it no more. Empty where the
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
