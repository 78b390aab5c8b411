import { keyOf, type Registration } from "./cloud-provider.ts";
import { drainRecord } from "./drain-record.ts";
import type { EndOfDrain, Ledger } from "./ledger.ts";
import type { Past } from "./past.ts";

/** The longest deregistration delay that AWS takes. Of what is older every hold is over. */
export const HOLD_MAX_MS = 3_600_000;
/** Drains of one node that ended short, one after the other: more are not asked for. */
const DRAINS_MAX = 5;

/** They end although something may still get traffic. */
const SHORT: ReadonlySet<EndOfDrain["status"]> = new Set(["deadline-passed", "failed", "abandoned"]);

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
  for (const drain of shortDrains(nodeId, ledger, now)) {
    const entries = await ledger.read(drain, signal).catch(() => undefined);
    signal.throwIfAborted();
    const { end, undo } = (entries && drainRecord(entries)) ?? {};
    if (end === undefined || undo !== undefined || !("registrations" in end.outcome)) continue;
    for (const { registration, state, heldMs, holdMs = HOLD_MAX_MS, cameBack } of end.outcome.registrations) {
      const heldSince = end.at - heldMs;
      const key = keyOf(registration);
      if (state !== "holding" || heldSince + holdMs <= now || unreleased.has(key)) continue;
      unreleased.set(key, { registration, past: { heldSince, cameBack } });
    }
  }
  return unreleased;
}

/** Those since the last one that did not end short, the newest first. */
function shortDrains(nodeId: string, ledger: Ledger, now: number): readonly string[] {
  const ended = ledger.listOf(nodeId).filter(({ end }) => end !== undefined);
  const isShort = ({ end }: (typeof ended)[number]) =>
    end !== undefined && SHORT.has(end.status) && end.at > now - HOLD_MAX_MS;
  const firstOther = ended.findIndex((one) => !isShort(one));
  return ended.slice(0, firstOther === -1 ? DRAINS_MAX : Math.min(firstOther, DRAINS_MAX)).map(({ drain }) => drain);
}
