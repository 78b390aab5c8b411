import type { Clock } from "../drain/clock.ts";
import type { EventReading } from "./announcement.ts";
import type { LifecycleHooks } from "./lifecycle-hooks.ts";
import type { QueueCallsOptions } from "./queue-calls.ts";
import type { Recommendations } from "./recommendations.ts";
import type { ForeignEvents } from "./settlement.ts";
import type { SourceObserver } from "./source-events.ts";

/** What a queue is read with. */
export interface SqsQueueOptions extends QueueCallsOptions {
  readonly clock: Clock;
  readonly hooks: LifecycleHooks;
  readonly read: (body: string) => EventReading;
  readonly foreign: ForeignEvents;
  /** Nothing is deleted, completed or kept waiting. */
  readonly dryRun: boolean;
  /** Absent: recommendations ask for nothing. */
  readonly recommendations?: Recommendations;
  /** The region that is drained in. Absent: events of any. */
  readonly region?: string;
  /** Messages whose drains run, at most; more are left to others. */
  readonly inFlightMax?: number;
  readonly observers: readonly SourceObserver[];
  /** Somebody waits for the process to end: all calls are cut off soon. */
  readonly abandon: AbortSignal;
}
