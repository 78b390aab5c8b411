import type { ServedAgentMetrics } from "../app/agent-metrics.ts";
import type { AwsTime } from "../aws/aws-time.ts";
import type { OptionName } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Tracing } from "../observe/tracing.ts";
import type { MetadataWatch } from "../sources/metadata-watch.ts";

/** What both kinds of `watch` need. */
export interface Watching {
  readonly watch: Pick<MetadataWatch, "identity" | "notices">;
  readonly clock: Clock;
  readonly time: AwsTime;
  readonly log: Log;
  /** Absent: traces are not configured. */
  readonly tracing?: Tracing;
  /** Absent: the agent serves no metrics. */
  readonly metrics: Pick<ServedAgentMetrics, "countCall" | "countHook"> | undefined;
  /** No more notices are processed, and running drains continue. */
  readonly stop: AbortSignal;
  /** Running drains end as they are. */
  readonly abandon: AbortSignal;
}

/** The options of an agent with --server, in addition to those of every caller. */
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
