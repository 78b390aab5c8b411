import type { Config } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import { type DrainRecord, drainRecord } from "../drain/drain-record.ts";
import { asDrainError } from "../drain/errors.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import { withLimit } from "../drain/limit.ts";
import { resumedTogether } from "../drain/past.ts";
import type { StampedLedger } from "../drain/stamped-ledger.ts";
import type { Log } from "../observe/log.ts";
import type { Engine } from "./engine.ts";

/** AWS answers within a second. A service that starts while AWS can't be reached must not wait for it. */
const CLOUD_TIME_WAIT_MS = 5_000;

export interface Resuming {
  readonly ledger: StampedLedger;
  readonly abandon: AbortSignal;
  readonly log: Log;
  readonly engine: Pick<Engine, "drainer" | "isRunning" | "cloud">;
  readonly clock: Clock;
  /** The running drains. */
  readonly drains: { add(what: string, work: Promise<unknown>): void };
}

/** Resumes every drain that an earlier process has not ended. Resolves when they run. */
export async function resumeDrains({ dryRun }: Config, resuming: Resuming): Promise<void> {
  const { ledger, engine, clock, abandon, log, drains } = resuming;
  try {
    await learnCloudTime(resuming);
    const records = (await ledger.unfinished(abandon)).flatMap((entries) => recordOf(entries, log) ?? []);
    for (const [record, ...others] of resumedTogether(records, clock.now())) {
      const { id, node } = record;
      const outside = [record, ...others].flatMap(placesOf).find(([place]) => !engine.cloud.covers(place));
      if (dryRun) log("drain resume skipped", { drain: id, node: node.id });
      else if (outside !== undefined) log("drain resume failed", { drain: id, ...notCovered(outside) });
      else drains.add(`drain ${id}`, engine.drainer.resume(record, abandon, others));
    }
  } catch (error) {
    const { code, message } = asDrainError(error);
    log("drain resume failed", { code, error: message });
  }
}

/** Makes any call to AWS, if only AWS's clock shows how much time has passed since the drains were interrupted. */
async function learnCloudTime({ ledger, engine, clock, abandon }: Resuming): Promise<void> {
  const id = await ledger.needsCloudTime(abandon);
  if (id === undefined) return;
  const limit = { reason: "timeout", at: clock.now() + CLOUD_TIME_WAIT_MS } as const;
  // Holds for which AWS does not answer last as long as they could.
  await withLimit({ clock, limit, signal: abandon }, (signal) => engine.isRunning(id, signal)).catch(() => {});
}

/** A drain whose entries can't be understood does not prevent the others from being resumed. */
function recordOf(entries: readonly LedgerEntry[], log: Log): DrainRecord | undefined {
  try {
    return drainRecord(entries);
  } catch (error) {
    const { code, message } = asDrainError(error);
    log("drain resume failed", { code, error: message, drain: entries[0]?.drain ?? "" });
    return undefined;
  }
}

/**
 * The places of the drain. AWS would answer that machine and pools are gone if their place is not configured any more.
 */
function placesOf({ node, registrations }: DrainRecord): readonly (readonly [place: string | undefined])[] {
  const pools = registrations.map((one) => one?.registration.pool).filter((pool) => pool !== undefined);
  return [[node.place], ...pools.map(({ place }) => [place] as const)];
}

function notCovered([place]: readonly [place: string | undefined]) {
  const where = place ?? "the account and region of the service";
  return {
    code: "cloud-error" as const,
    error: `it is in ${where}, which AWS_PLACES does not name: add it, and restart`,
  };
}
