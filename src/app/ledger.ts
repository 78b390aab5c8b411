import { type Config, ConfigError } from "../config/config.ts";
import { asDrainError, DrainError, printable } from "../drain/errors.ts";
import { StampedLedger } from "../drain/stamped-ledger.ts";
import { MemoryLedger } from "../ledger/memory-ledger.ts";
import { openLedger, type SharedLedger } from "../ledger/open-ledger.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Trouble } from "../web/readiness.ts";
import type { Clocks } from "./clocks.ts";

interface LedgerParts {
  readonly clocks: Clocks;
  readonly metrics: Pick<Metrics, "countLedgerFailure" | "gauges">;
  readonly log: Log;
  /** Makes the ledger survive this machine. Absent: only this process has it. */
  readonly shared?: SharedLedger;
}

export interface OpenedDrains {
  readonly ledger: StampedLedger;
  /** See `FileLedger.displaced`. */
  readonly ledgerTrouble: () => Trouble | undefined;
  close(): Promise<void>;
}

/** The configured ledger. Throws `ConfigError`, or `DrainError` if it is shared and can't be read now. */
export async function openDrains(
  { stateDir, givenBy }: Config,
  { clocks: { clock, time }, metrics, log, shared }: LedgerParts,
): Promise<OpenedDrains> {
  const cloudAheadMs = () => time.aheadMs;
  const clocks = { boot: "", bootedAt: () => clock.bootedAt, cloudAheadMs };
  if (stateDir === undefined) {
    const ledger = new StampedLedger(new MemoryLedger(), { clock, clocks });
    return { ledger, ledgerTrouble: () => undefined, close: async () => {} };
  }
  try {
    let isFailing = false;
    const opened = await openLedger(stateDir, {
      clock,
      ...(shared && { shared }),
      onFailure: metrics.countLedgerFailure,
      onTrouble: ({ code, message }) => {
        isFailing = true;
        log("ledger write failed", { code, error: message });
      },
      onRecovered: (lost) => {
        isFailing = false;
        log("ledger write recovered", { lost });
      },
    });
    metrics.gauges.watchLedger({ isWritable: () => !isFailing && opened.ledger.displaced === undefined });
    for (const finding of opened.findings) log("ledger damaged", finding);
    const { boot, lastWritten, close } = opened;
    const ledger = new StampedLedger(opened.ledger, {
      clock,
      clocks: { ...clocks, boot },
      onDifference: ({ shiftMs, basis }) =>
        log("ledger times corrected", { seconds: Math.round(shiftMs / 1_000), basis }),
      ...(lastWritten && { lastWritten }),
    });
    return { ledger, ledgerTrouble: () => opened.ledger.displaced, close };
  } catch (error) {
    // The term is over, and another replica leads.
    if (shared?.over.aborted === true) throw asDrainError(shared.over.reason);
    const { cause } = error as Error;
    if (cause instanceof DrainError || (cause as Error | undefined)?.name === "KubernetesError")
      throw asDrainError(cause);
    const place = `${givenBy.stateDir} is '${printable(stateDir)}'`;
    throw new ConfigError([`${place}, which can't be used: ${(error as Error).message}`]);
  }
}
