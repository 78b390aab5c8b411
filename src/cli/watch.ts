import { uptime } from "node:os";
import { openClocks } from "../app/clocks.ts";
import { tracingOf } from "../app/tracing.ts";
import { type Config, metadataOrigin } from "../config/config.ts";
import { anyOf, newAbort, WOKEN } from "../drain/abort.ts";
import { createLog } from "../observe/service-log.ts";
import { ImdsClient, sendOverHttp } from "../sources/imds-client.ts";
import { MetadataWatch } from "../sources/metadata-watch.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom, type ServerOptions } from "./options.ts";
import { remoteFrom } from "./remote-from.ts";
import { listenForShutdown } from "./shutdown.ts";
import { VERSION } from "./version.ts";
import { watchHere } from "./watch-here.ts";
import { watchLog } from "./watch-log.ts";
import { watchRemotely } from "./watch-remotely.ts";
import { OWN_WITH_SERVER, type Watching } from "./watching.ts";

export async function runWatch(call: Call): Promise<number> {
  const { server } = call.options as ServerOptions;
  if (server === undefined) {
    const config = configFrom(call, "watch");
    await untilStopped(config, call, (watching) => tracedHere(config, watching));
  } else {
    const { service, config } = await remoteFrom(call, "watch", server, OWN_WITH_SERVER);
    const { timeoutMs, dryRun, earlyRelease } = config;
    await untilStopped(config, call, (watching) =>
      watchRemotely({ ...watching, service, timeoutMs, dryRun, earlyRelease }),
    );
  }
  return EXIT.done;
}

/** Its own drains are traced as those of the service. A service traces its own. */
async function tracedHere(config: Config, watching: Watching): Promise<void> {
  const { clock, log } = watching;
  const tracing = await tracingOf(config, { clock, log, version: VERSION });
  if (tracing === undefined) return watchHere(config, watching);
  try {
    await watchHere(config, { ...watching, log: tracing.inLog(log), tracing });
  } finally {
    await tracing.close();
  }
}

async function untilStopped(
  config: Config,
  { streams }: Call,
  run: (watching: Watching) => Promise<void>,
): Promise<void> {
  const { metadataIntervalMs: intervalMs, maintenanceLeadMs, logLevel, rebalance } = config;
  const { clock } = streams;
  const log = createLog(logLevel, streams.stdout, () => clock.now());
  const logEvent = watchLog(log);
  const clocks = openClocks(log, clock);
  const { time } = clocks;
  const ended = newAbort();
  const { stop, abandon, ignore } = listenForShutdown(config, streams);
  const metrics = await metricsOf(config, { clock, log }).catch((error) => {
    ignore();
    throw error;
  });
  const client = new ImdsClient({ clock, time, send: sendOverHttp(metadataOrigin(config)) });
  const watch = new MetadataWatch({
    client,
    clock,
    time,
    intervalMs,
    maintenanceLeadMs,
    onEvent: (event) => {
      logEvent(event);
      metrics?.observe(event);
    },
    bootedAt: () => clock.now() - uptime() * 1_000,
    heedsRecommendations: rebalance === "drain",
  });
  const watched = clocks.watch(anyOf(stop, ended.signal));
  try {
    await run({ watch: metrics?.counted(watch) ?? watch, metrics, clock, time, log, stop, abandon });
  } catch (error) {
    // It was stopped before it knew its machine.
    if (!stop.aborted) throw error;
  } finally {
    ended.abort(WOKEN);
    await watched;
    await metrics?.close();
    ignore();
  }
  log("stopped", {});
}

/** The code that serves metrics is loaded only if it is configured. */
async function metricsOf(config: Config, parts: Pick<Watching, "clock" | "log">) {
  const { metricsPort: port } = config;
  if (port === undefined) return undefined;
  const { serveAgentMetrics } = await import("../app/agent-metrics.ts");
  // The tools that read the options of this file are not built, and have no version.
  const { VERSION } = await import("./version.ts");
  return serveAgentMetrics(config, { ...parts, version: VERSION, port });
}
