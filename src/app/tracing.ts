import type { Config } from "../config/config.ts";
import { tracesUrl } from "../config/tracing-options.ts";
import type { Clock } from "../drain/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Tracing } from "../observe/tracing.ts";

export interface TracingParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Drains continue in the next process. */
  readonly outlivesProcess?: boolean;
}

/** The configured traces. What they need is loaded only if there are some. Undefined: none are configured. */
export async function tracingOf(config: Config, parts: TracingParts): Promise<Tracing | undefined> {
  const url = tracesUrl(config);
  if (url === undefined) return undefined;
  const { tracesSampler: sampler, tracesSamplerRatio: ratio, region } = config;
  const { openTracing } = await import("../observe/tracing.ts");
  return openTracing({ url, sampler, ratio }, { ...parts, region });
}

/** The observers of the drains and calls of an engine for traces, in addition to the others. */
export function heardBy(tracing: Tracing | undefined) {
  return {
    // Before the log, whose lines name the trace.
    observers: tracing === undefined ? [] : [tracing.observe],
    called: tracing === undefined ? () => {} : tracing.called,
  };
}
