import { uptime } from "node:os";
import { openClocks } from "../app/clocks.ts";
import { type Config, metadataOrigin, type OptionName } from "../config/config.ts";
import { anyOf, newAbort, WOKEN } from "../drain/abort.ts";
import { createLog } from "../observe/service-log.ts";
import { ImdsClient, sendOverHttp } from "../sources/imds-client.ts";
import { MetadataWatch } from "../sources/metadata-watch.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom, type ServerOptions } from "./options.ts";
import { remoteFrom } from "./remote-from.ts";
import { listenForShutdown } from "./shutdown.ts";
import { watchHere } from "./watch-here.ts";
import { watchLog } from "./watch-log.ts";
import { watchRemotely } from "./watch-remotely.ts";
import type { Watching } from "./watching.ts";

/** The options that an agent has with --server, besides those of every caller. */
export const OWN_WITH_SERVER: readonly OptionName[] = [
  "metadataEndpoint",
  "metadataEndpointMode",
  "metadataIntervalMs",
  "maintenanceLeadMs",
  "logLevel",
  "shutdownGraceMs",
  "earlyRelease",
];

export async function runWatch(call: Call): Promise<number> {
  const { server } = call.options as ServerOptions;
  if (server === undefined) {
    const config = configFrom(call, "watch");
    await untilStopped(config, call, (watching) => watchHere(config, watching));
  } else {
    const { service, config } = await remoteFrom(call, "watch", server, OWN_WITH_SERVER);
    const { timeoutMs, dryRun, earlyRelease } = config;
    await untilStopped(config, call, (watching) =>
      watchRemotely({ ...watching, service, timeoutMs, dryRun, earlyRelease }),
    );
  }
  return EXIT.done;
}

async function untilStopped(
  config: Config,
  { streams }: Call,
  run: (watching: Watching) => Promise<void>,
): Promise<void> {
  const { metadataIntervalMs: intervalMs, maintenanceLeadMs, logLevel, rebalance } = config;
  const { clock } = streams;
  const log = createLog(logLevel, streams.stdout, () => clock.now());
  const clocks = openClocks(log, clock);
  const { time } = clocks;
  const ended = newAbort();
  const { stop, abandon, ignore } = listenForShutdown(config, streams);
  const client = new ImdsClient({ clock, time, send: sendOverHttp(metadataOrigin(config)) });
  const watch = new MetadataWatch({
    client,
    clock,
    time,
    intervalMs,
    maintenanceLeadMs,
    onEvent: watchLog(log),
    bootedAt: () => clock.now() - uptime() * 1_000,
    heedsRecommendations: rebalance === "drain",
  });
  const watched = clocks.watch(anyOf(stop, ended.signal));
  try {
    await run({ watch, clock, time, log, stop, abandon });
  } catch (error) {
    // Stopped before it knew which machine it is on.
    if (!stop.aborted) throw error;
  } finally {
    ended.abort(WOKEN);
    await watched;
    ignore();
  }
  log("stopped", {});
}
