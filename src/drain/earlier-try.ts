import type { Clock } from "./clock.ts";
import type { CloudProvider } from "./cloud-provider.ts";
import type { DrainRun } from "./drain-run.ts";
import type { DrainEvent } from "./events.ts";
import { leftWhenUnlistedMs } from "./hold.ts";
import type { Ledger } from "./ledger.ts";

interface EarlierTryOptions {
  readonly cloud: Pick<CloudProvider, "kindsAround">;
  readonly clock: Clock;
  readonly ledger?: Ledger;
  /** When the search began that has found all that is listed, in milliseconds since the epoch. */
  readonly searchedAt: number;
  readonly notify: (event: DrainEvent) => void;
}

/**
 * An earlier try, another process's, may have deregistered what the cloud lists no more. Resolves once that gets no
 * traffic for certain. What was tried by this process, or by whoever had its ledger, is known and held without that.
 */
export async function untilEarlierTryIsOver(
  run: DrainRun,
  { cloud, clock, ledger, searchedAt, notify }: EarlierTryOptions,
  signal: AbortSignal,
): Promise<void> {
  const { firstTriedAt } = run.asked;
  if (firstTriedAt === undefined) return;
  const others = ledger?.listOf(run.node.id).filter(({ drain }) => drain !== run.id) ?? [];
  if (others.some(({ startedAt }) => startedAt >= firstTriedAt)) return;
  const kinds = [...cloud.kindsAround(run.node)];
  const until = searchedAt + Math.max(0, ...kinds.map((kind) => leftWhenUnlistedMs(kind, run.allowances)));
  const leftMs = until - clock.now();
  if (leftMs <= 0) return;
  run.planned({ longestHoldMs: leftMs });
  notify({ type: "awaiting-earlier-try", drainId: run.id, node: run.node, until });
  await clock.sleep(leftMs, signal);
}
