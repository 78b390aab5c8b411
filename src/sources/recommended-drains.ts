import { drainRecord } from "../drain/drain-record.ts";
import type { Drainer } from "../drain/drainer.ts";
import { DrainError } from "../drain/errors.ts";
import type { Ledger } from "../drain/ledger.ts";
import { undoFailure } from "../drain/undo.ts";
import type { AnnouncementKind } from "./announcement.ts";
import type { TakenOut } from "./recommendations.ts";

const RECOMMENDED: AnnouncementKind = "rebalance-recommendation";

/**
 * Undoes the last drains of a node that nobody but recommendations has asked for, the newest first: one that was begun
 * before a restart did what the one after it found done. Resolves with how many. Throws `DrainError`.
 */
export async function undoRecommended(
  { instanceId, drainId }: TakenOut,
  { ledger, drainer }: { readonly ledger: Ledger; readonly drainer: Pick<Drainer, "cancel"> },
  signal: AbortSignal,
): Promise<number> {
  if ((await ledger.read(drainId, signal)) === undefined)
    throw new DrainError(
      "drain-not-found",
      `the ledger has forgotten the drain ${drainId}, which alone could be undone`,
    );
  let undone = 0;
  for (const { drain, undo } of ledger.listOf(instanceId)) {
    const record = drainRecord((await ledger.read(drain, signal)) ?? []);
    const isRecommended = record?.requests.every(({ asker }) => asker?.via === RECOMMENDED) ?? false;
    if (!isRecommended || undo !== undefined) break;
    const outcome = await drainer.cancel(drain, { via: RECOMMENDED }, signal);
    const failure = undoFailure(outcome);
    if (failure !== undefined) throw failure;
    if (outcome.registrations.length > 0) undone += 1;
  }
  return undone;
}
