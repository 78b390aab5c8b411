import { type Config, ConfigError } from "../config/config.ts";
import type { SystemClock } from "../drain/clock.ts";
import { type DrainRecord, drainRecord } from "../drain/drain-record.ts";
import { asDrainError, DrainError, printable } from "../drain/errors.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import { withLimit } from "../drain/limit.ts";
import { resumedTogether } from "../drain/past.ts";
import { StampedLedger } from "../drain/stamped-ledger.ts";
import { MemoryLedger } from "../ledger/memory-ledger.ts";
import { openLedger, type SharedLedger } from "../ledger/open-ledger.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Trouble } from "../web/readiness.ts";
import type { Background } from "./background.ts";
import type { Clocks } from "./clocks.ts";
import type { Engine } from "./engine.ts";

/** AWS answers within a second. A service that starts without AWS must not wait for it. */
const CLOUD_TIME_WAIT_MS = 5_000;

interface LedgerParts {
  readonly clocks: Clocks;
  readonly metrics: Pick<Metrics, "countLedgerFailure">;
  readonly log: Log;
  /** Has the ledger outlive this machine. Absent: it is this process's alone. */
  readonly shared?: SharedLedger;
}

export interface OpenedDrains {
  readonly ledger: StampedLedger;
  /** See `FileLedger.displaced`. */
  readonly ledgerTrouble: () => Trouble | undefined;
  close(): Promise<void>;
}

/** The ledger that the configuration asks for. Throws `ConfigError`; where it is shared and can't be had now, `DrainError`. */
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
    const opened = await openLedger(stateDir, {
      clock,
      ...(shared && { shared }),
      onFailure: metrics.countLedgerFailure,
      onTrouble: ({ code, message }) => log("ledger write failed", { code, error: message }),
      onRecovered: (lost) => log("ledger write recovered", { lost }),
    });
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
    const { cause } = error as Error;
    if (cause instanceof DrainError || (cause as Error | undefined)?.name === "KubernetesError")
      throw asDrainError(cause);
    const place = `${givenBy.stateDir} is '${printable(stateDir)}'`;
    throw new ConfigError([`${place}, which can't be used: ${(error as Error).message}`]);
  }
}

interface Resuming {
  readonly ledger: StampedLedger;
  readonly engine: Pick<Engine, "drainer" | "isRunning">;
  readonly clock: SystemClock;
  readonly log: Log;
  readonly abandon: AbortSignal;
  /** Those that run. */
  readonly drains: Background;
}

/** Resumes every drain that an earlier process has not ended. Resolves when they run. */
export async function resumeDrains({ dryRun }: Config, resuming: Resuming): Promise<void> {
  const { ledger, engine, clock, abandon, log, drains } = resuming;
  try {
    await learnCloudTime(resuming);
    const records = (await ledger.unfinished(abandon)).flatMap((entries) => recordOf(entries, log) ?? []);
    for (const [record, ...others] of resumedTogether(records, clock.now())) {
      const { id, node } = record;
      if (dryRun) log("drain resume skipped", { drain: id, node: node.id });
      else drains.add(`drain ${id}`, engine.drainer.resume(record, abandon, others));
    }
  } catch (error) {
    const { code, message } = asDrainError(error);
    log("drain resume failed", { code, error: message });
  }
}

/** Asks AWS for anything at all, if only its clock tells how much time has passed since the drains were interrupted. */
async function learnCloudTime({ ledger, engine, clock, abandon }: Resuming): Promise<void> {
  const id = await ledger.needsCloudTime(abandon);
  if (id === undefined) return;
  const limit = { reason: "timeout", at: clock.now() + CLOUD_TIME_WAIT_MS } as const;
  // What AWS does not tell is held as long as it could be.
  await withLimit({ clock, limit, signal: abandon }, (signal) => engine.isRunning(id, signal)).catch(() => {});
}

/** A drain whose entries can't be understood keeps no other from its resumption. */
function recordOf(entries: readonly LedgerEntry[], log: Log): DrainRecord | undefined {
  try {
    return drainRecord(entries);
  } catch (error) {
    const { code, message } = asDrainError(error);
    log("drain resume failed", { code, error: message, drain: entries[0]?.drain ?? "" });
    return undefined;
  }
}
