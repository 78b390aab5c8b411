import { AwsTime } from "../aws/aws-time.ts";
import type { SystemClock } from "../drain/clock.ts";
import type { Log } from "../observe/log.ts";

/** After a suspension of the machine, a limit may be late by this time. */
const LOOK_INTERVAL_MS = 1_000;

/** The clock of a program that runs for a long time, and what AWS's clock says. */
export interface Clocks {
  readonly clock: SystemClock;
  readonly time: AwsTime;
  /** Reports changes of the machine's time of day, and adds the time of suspensions. Resolves when `stop` aborts. */
  watch(stop: AbortSignal): Promise<void>;
}

export function openClocks(log: Log, clock: SystemClock): Clocks {
  const time = new AwsTime(clock, skewLog(log));
  return {
    clock,
    time,
    async watch(stop) {
      for (;;) {
        await clock.sleep(LOOK_INTERVAL_MS, stop).catch(() => {}); // Stopped.
        if (stop.aborted) return;
        const { steppedMs, suspendedMs } = clock.look();
        if (suspendedMs > 0) log("machine suspended", { seconds: seconds(suspendedMs) });
        if (steppedMs !== 0)
          log("clock stepped", { seconds: seconds(steppedMs), offsetSeconds: seconds(clock.offsetMs) });
      }
    },
  };
}

/** Logs the difference between this process's clock and AWS's. */
export function skewLog(log: Log): (aheadMs: number) => void {
  return (aheadMs) => {
    if (aheadMs === 0) log("clock skew resolved", {});
    else log("clock skew detected", { seconds: seconds(-aheadMs) });
  };
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
