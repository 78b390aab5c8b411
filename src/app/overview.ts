import type { Config } from "../config/config.ts";
import { printableShare } from "../drain/guard.ts";
import { Overview, type OverviewOptions, type OverviewSettings } from "../web/overview.ts";
import type { Serving } from "./service.ts";

/** What the dashboard shows of a service, by its configuration. It belongs to the process that acts on nodes. */
export function openOverview(
  config: Config,
  { clock, version, replica }: Pick<Serving, "clock" | "version" | "replica">,
  parts: Pick<OverviewOptions, "ready" | "clouds" | "runningOf">,
): Overview {
  return new Overview({ ...parts, clock, version, settings: settingsOf(config, replica) });
}

function settingsOf(config: Config, leader: string | undefined): OverviewSettings {
  const { region, clusterName, dryRun, undo, minHealthy, maxVoluntary } = config;
  return {
    ...(region !== undefined && { region }),
    ...(clusterName !== undefined && { cluster: clusterName }),
    dryRun,
    undo: undo && !dryRun,
    minHealthy: printableShare(minHealthy),
    maxVoluntary: printableShare(maxVoluntary),
    ...(leader !== undefined && { leader }),
  };
}
