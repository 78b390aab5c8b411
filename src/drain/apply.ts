import type { Registration } from "./cloud-provider.ts";
import type { EvictionResult } from "./eviction.ts";
import type { LedgerEntry } from "./ledger.ts";
import { HOLD_MAX_MS } from "./memory.ts";
import type { Step } from "./steps.ts";

/** One registration as the ledger has it. Moments are milliseconds since the epoch. */
export interface RecordedRegistration {
  readonly registration: Registration;
  readonly foundAt: number;
  /**
   * - `open`: found, and nothing is known of an acknowledged deregistration; or it failed, or is to be made again.
   * - `holding`: deregistered.
   * - `released`: the pool has stopped sending.
   */
  readonly state: "open" | "holding" | "released";
  /** When the last acknowledged deregistration was. Absent: there was none. */
  readonly since?: number;
  readonly releasedAt?: number;
  /** Deregistered by this drain, and not by another program before it. */
  readonly isOurs?: boolean;
  /** An undo has registered it again. */
  readonly isBack?: boolean;
  /** See `HoldProgress`. */
  readonly isEarlier?: boolean;
  /** Entries after the last known one about it are missing: it may have been deregistered again since, until then. */
  readonly unknownUntil?: number;
  /** How often another program registered it again. */
  readonly cameBack: number;
}

interface When {
  /** When the entry was written, or later. */
  readonly at: number;
  readonly startedAt: number;
}

/** What an entry changes of the registrations that were found. */
export function apply(registrations: (RecordedRegistration | undefined)[], entry: LedgerEntry, when: When): void {
  if (entry.type === "found") {
    for (const [index, registration] of entry.registrations.entries()) {
      const number = entry.first + index;
      // A wrong number takes no other's place.
      const place = registrations[number] === undefined ? number : registrations.length;
      registrations[place] = { registration, foundAt: when.at, state: "open", cameBack: 0 };
    }
    return;
  }
  if (!("of" in entry)) return;
  for (const number of entry.of) {
    const known = registrations[number];
    if (known !== undefined) registrations[number] = after(known, entry, when);
  }
}

/** A drain may go on with what one before it has deregistered, and that within the longest hold. */
function heldSince({ since }: { readonly since?: number }, { at, startedAt }: When): number {
  return since === undefined || since > at || since < startedAt - HOLD_MAX_MS ? at : since;
}

function after(
  { unknownUntil, ...known }: RecordedRegistration,
  entry: Extract<LedgerEntry, { of: readonly number[] }>,
  when: When,
): RecordedRegistration {
  const uncertain = unknownUntil === undefined ? {} : { unknownUntil };
  switch (entry.type) {
    case "deregistered": {
      // Held already, and found draining a second time: it has come and gone unseen.
      const isAnew = known.state === "holding" && entry.foundDraining === true && entry.since === undefined;
      const cameBack = known.cameBack + (isAnew ? 1 : 0);
      const isOurs = known.isOurs === true || !entry.foundDraining || known.registration.state !== "draining";
      const isEarlier = entry.isEarlier === true;
      const since = Math.max(heldSince(entry, when), entry.since === undefined ? 0 : (unknownUntil ?? 0));
      return { ...known, state: "holding", since, cameBack, isOurs, isEarlier, isBack: false };
    }
    case "deregistering-again":
      return { ...known, state: "open", cameBack: known.cameBack + (entry.because === "back" ? 1 : 0) };
    case "released":
      return { ...known, state: "released", releasedAt: when.at };
    case "failed":
      return { ...known, state: "open" };
    case "registered":
      return { ...known, ...uncertain, isBack: true };
    default:
      // It stands where it stood.
      return { ...known, ...uncertain };
  }
}

/** How far the eviction of a node's pods has come. */
export function evictionAfter(result: EvictionResult | undefined, step: Step): EvictionResult | undefined {
  const { evicted = 0, remaining = [] } = result ?? {};
  switch (step.type) {
    case "evicting": {
      const known = new Set(remaining.map(({ pod }) => pod));
      const added = step.pods.filter((pod) => !known.has(pod)).map((pod) => ({ pod }));
      return { evicted, remaining: [...remaining, ...added] };
    }
    case "evicted": {
      const others = remaining.filter(({ pod }) => !step.pods.includes(pod));
      return { evicted: evicted + step.pods.length, remaining: others };
    }
    case "eviction-refused": {
      const why = step.error.message;
      return { evicted, remaining: remaining.map((one) => (one.pod === step.pod ? { ...one, why } : one)) };
    }
    default:
      return result;
  }
}
