import type { AwsTime } from "../aws/aws-time.ts";
import type { AwsClientOptions } from "../aws/clients.ts";
import { createAutoScalingClient } from "../aws/event-clients.ts";
import { UnmeteredCaller, type UnmeteredCallerOptions } from "../aws/unmetered-caller.ts";
import { awsClientOptions, type Config } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import type { Drainer } from "../drain/drainer.ts";
import type { Ledger } from "../drain/ledger.ts";
import { type Log, writeLine } from "../observe/log.ts";
import { LifecycleHooks } from "../sources/lifecycle-hooks.ts";
import { Recommendations, undoRecommended } from "../sources/recommendations.ts";
import { ReturningMachines, type ReturningOptions } from "../sources/returning.ts";
import { recommendationLine, returnLine, sourceLine } from "../sources/source-event-text.ts";
import type { HookEvent } from "../sources/source-events.ts";

export interface AnnouncedParts extends UnmeteredCallerOptions {
  readonly time: AwsTime;
  readonly log: Log;
  /** The endpoint of AWS, if it is not AWS itself. */
  readonly aws?: Omit<AwsClientOptions, "region">;
  /** The client for another place, if several are configured. */
  readonly autoScalingOf?: (place: string | undefined) => AutoScaling | undefined;
  /** Called for events of hooks, in addition to the log. */
  readonly onHook?: (event: HookEvent) => void;
}

type AutoScaling = ReturnType<typeof createAutoScalingClient>;

/** The client for Auto Scaling of service, function and agent, and the hooks that they answer with it. */
export function openHooks(config: Config, parts: AnnouncedParts) {
  const { clock, time, log, aws = {}, autoScalingOf, onHook = () => {} } = parts;
  const autoScaling = createAutoScalingClient({ ...awsClientOptions(config), ...aws, time });
  const calls = {
    clock,
    caller: new UnmeteredCaller(parts),
    autoScaling,
    autoScalingOf: (place: string | undefined) => autoScalingOf?.(place) ?? autoScaling,
  };
  const onEvent = (event: HookEvent) => {
    writeLine(log, sourceLine(event));
    onHook(event);
  };
  return { ...calls, hooks: new LifecycleHooks({ ...calls, onEvent }) };
}

/** How the configuration treats machines that come back. */
export function openReturning(
  { returningNodes: afterwards }: Config,
  options: Omit<ReturningOptions, "afterwards" | "onEvent"> & { readonly log: Log },
): ReturningMachines {
  const { log, ...calls } = options;
  return new ReturningMachines({ ...calls, afterwards, onEvent: (event) => writeLine(log, returnLine(event)) });
}

export interface RecommendationParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly drainer: Pick<Drainer, "cancel">;
  readonly abandon: AbortSignal;
}

/** How the configuration treats nodes that EC2 recommends to replace. Undefined: it ignores recommendations. */
export function openRecommendations(
  { rebalance, rebalanceUndoMs: undoAfterMs }: Config,
  { clock, log, ledger, drainer, abandon }: RecommendationParts,
): Recommendations | undefined {
  if (rebalance !== "drain") return undefined;
  return new Recommendations({
    clock,
    undoAfterMs,
    undo: (drained) => undoRecommended(drained, { ledger, drainer }, abandon),
    onEvent: (event) => writeLine(log, recommendationLine(event)),
  });
}

const HOOKS: Partial<Record<HookEvent["type"], string>> = {
  "hook-continued": "continued",
  "hook-over": "over",
  "hook-not-completed": "not-completed",
  "hook-heartbeat-failed": "heartbeat-failed",
};

/** The result of a hook, by the names of the metrics. Undefined: there is none yet. */
export function hookResult({ type }: HookEvent): string | undefined {
  return HOOKS[type];
}
