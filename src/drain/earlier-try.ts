import type { Clock } from "./clock.ts";
import type { CloudProvider } from "./cloud-provider.ts";
import type { DrainRun } from "./drain-run.ts";
import type { DrainEvent } from "./events.ts";
import { holdMs } from "./hold.ts";

interface EarlierTryOptions {
  readonly cloud: Pick<CloudProvider, "kindsAround">;
  readonly clock: Clock;
  readonly notify: (event: DrainEvent) => void;
}

/**
 * An earlier try, perhaps another process's, may have deregistered what the cloud lists no more. Resolves once that gets
 * no traffic for certain: its deregistration delay has passed, or it would be listed, but an allowance may not have.
 */
export async function untilEarlierTryIsOver(
  run: DrainRun,
  { cloud, clock, notify }: EarlierTryOptions,
  signal: AbortSignal,
): Promise<void> {
  const { firstTriedAt } = run.asked;
  if (firstTriedAt === undefined) return;
  const kinds = [...cloud.kindsAround(run.node)];
  const longestMs = Math.max(0, ...kinds.map((kind) => holdMs({ kind, drainMs: 0 }, run.allowances)));
  const until = firstTriedAt + longestMs;
  const leftMs = until - clock.now();
  if (leftMs <= 0) return;
  run.planned({ longestHoldMs: leftMs });
  notify({ type: "awaiting-earlier-try", drainId: run.id, node: run.node, until });
  await clock.sleep(leftMs, signal);
}
