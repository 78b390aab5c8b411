import { uptime } from "node:os";
import type { Command } from "commander";
import { type Config, metadataOrigin, type OptionName } from "../config/config.ts";
import { SystemClock } from "../drain/clock.ts";
import { createLog } from "../observe/service-log.ts";
import { ImdsClient, sendOverHttp } from "../sources/imds-client.ts";
import { MetadataWatch } from "../sources/metadata-watch.ts";
import { EXIT } from "./exit-codes.ts";
import { addOptions, configFrom } from "./options.ts";
import { addServerOption, remoteFrom, type ServerOptions } from "./server-option.ts";
import { listenForShutdown } from "./shutdown.ts";
import { watchHere } from "./watch-here.ts";
import { watchLog } from "./watch-log.ts";
import { watchRemotely } from "./watch-remotely.ts";
import type { Watching } from "./watching.ts";

const OWN: readonly OptionName[] = [
  "metadataEndpoint",
  "metadataEndpointMode",
  "metadataIntervalMs",
  "maintenanceLeadMs",
  "logLevel",
  "shutdownGraceMs",
];

export function addWatchCommand(program: Command): void {
  const command = program
    .command("watch")
    .summary("on a node: drain it when its instance metadata says that it will go away")
    .description(
      "Runs on a node, and drains it when its own instance metadata says that it will go away: a spot interruption, scheduled maintenance, Auto Scaling's target state Terminated or Warmed. With its own credentials, or with --server through a service.",
    );
  addServerOption(addOptions(command, "watch")).addHelpText(
    "after",
    [
      "",
      "Each notice is drained for once, and nobody can say no. Of scheduled maintenance the drain begins MAINTENANCE_LEAD before.",
      "A drain that failed is tried again while the notice stands; one that is taken back registers nothing again.",
      "After the drain it stays and is quiet, so that a DaemonSet does not start it again: SIGTERM ends it, with code 0, and",
      "lets running drains go on for SHUTDOWN_GRACE. Pods need hostNetwork, or a hop limit of 2 for instance metadata.",
    ].join("\n"),
  );
  command.action(async ({ server }: ServerOptions) => {
    if (server === undefined) {
      const config = configFrom(command, "watch");
      await untilStopped(config, (watching) => watchHere(config, watching));
    } else {
      const { service, config } = await remoteFrom(command, "watch", server, OWN);
      const { timeoutMs, dryRun } = config;
      await untilStopped(config, (watching) => watchRemotely({ ...watching, service, timeoutMs, dryRun }));
    }
    process.exitCode = EXIT.done;
  });
}

async function untilStopped(config: Config, run: (watching: Watching) => Promise<void>): Promise<void> {
  const { metadataIntervalMs: intervalMs, logLevel, rebalance, maintenanceLeadMs } = config;
  const clock = new SystemClock();
  const log = createLog(logLevel);
  const { stop, abandon, ignore } = listenForShutdown(config, clock);
  const client = new ImdsClient({ clock, send: sendOverHttp(metadataOrigin(config)) });
  const watch = new MetadataWatch({
    ...{ client, clock, intervalMs, maintenanceLeadMs, heard: watchLog(log) },
    bootedAt: () => clock.now() - uptime() * 1_000,
    heedsRecommendations: rebalance === "drain",
  });
  try {
    await run({ watch, clock, log, stop, abandon });
  } catch (error) {
    // Told to stop before it knew which machine it is on.
    if (!stop.aborted) throw error;
  } finally {
    ignore();
  }
  log.info("stopped");
}
