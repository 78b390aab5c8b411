import type { ServedAgentMetrics } from "../app/agent-metrics.ts";
import type { AwsTime } from "../aws/aws-time.ts";
import type { OptionName } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Tracing } from "../observe/tracing.ts";
import type { MetadataWatch } from "../sources/metadata-watch.ts";

/** What both ways of watching work with. */
export interface Watching {
  readonly watch: Pick<MetadataWatch, "identity" | "notices">;
  readonly clock: Clock;
  readonly time: AwsTime;
  readonly log: Log;
  /** Absent: there are no traces. */
  readonly tracing?: Tracing;
  /** Absent: the agent serves none. */
  readonly metrics: Pick<ServedAgentMetrics, "countCall" | "countHook"> | undefined;
  /** No more notices are heeded, running drains go on. */
  readonly stop: AbortSignal;
  /** Running drains end as they stand. */
  readonly abandon: AbortSignal;
}

/** The options that an agent has with --server, besides those of every caller. */
export const OWN_WITH_SERVER: readonly OptionName[] = [
  "metadataEndpoint",
  "metadataEndpointMode",
  "metadataIntervalMs",
  "metricsPort",
  "metricsHost",
  "maintenanceLeadMs",
  "logLevel",
  "shutdownGraceMs",
  "earlyRelease",
];
