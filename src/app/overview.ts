import type { Config } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import { printableShare } from "../drain/guard.ts";
import type { Log } from "../observe/log.ts";
import { Overview, type OverviewOptions, type OverviewSettings } from "../web/overview.ts";
import { faultOf } from "./web.ts";

export interface OverviewParts extends Pick<OverviewOptions, "ready" | "clouds" | "runningOf"> {
  readonly clock: Clock;
  readonly version: string;
  readonly log: Log;
  /** The identity of this process among several replicas. */
  readonly replica?: string | undefined;
}

/** The configured dashboard of a service. It belongs to the process that acts on nodes. */
export function openOverview(config: Config, { replica, log, ...parts }: OverviewParts): Overview {
  const onError = (error: unknown) => log("internal error", faultOf(error));
  return new Overview({ ...parts, onError, settings: settingsOf(config, replica) });
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
