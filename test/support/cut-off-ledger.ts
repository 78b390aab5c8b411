import type { Ledger, LedgerEntry } from "../../src/drain/ledger.ts";

const pending = <T>() => new Promise<T>(() => {});

/** The ledger as one process has it: nothing comes through once `dead`. */
export function cutOff(ledger: Ledger, dead: AbortSignal, onEntry: (entry: LedgerEntry) => void = () => {}): Ledger {
  return {
    note(entry) {
      if (dead.aborted) return;
      ledger.note(entry);
      onEntry(entry);
    },
    noted: () => (dead.aborted ? pending() : ledger.noted()),
    async append(entry) {
      if (dead.aborted) return pending();
      await ledger.append(entry);
      onEntry(entry);
    },
    list: (max) => ledger.list(max),
    listOf: (nodeId) => ledger.listOf(nodeId),
    read: (drain, signal) => ledger.read(drain, signal),
    remembered: (nodeId) => ledger.remembered(nodeId),
    unknownSince: (nodeId) => ledger.unknownSince(nodeId),
    follow: (drain, heard) => ledger.follow(drain, heard),
    unfinished: (signal) => ledger.unfinished(signal),
  };
}
