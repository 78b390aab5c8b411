// Loaded into the service's process before it: tells its parent, when asked, its memory and how long its event loop stood still.
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 5;
const KIB_PER_MIB = 1_024;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
process.on("message", () => {
  // The most of all time: a collection is not forced, as none is in a service.
  const peakMiB = process.resourceUsage().maxRSS / KIB_PER_MIB;
  // What it measures is between two of its own timers.
  const [stallP99Ms, stallMaxMs] = [delay.percentile(99), delay.max].map((ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS));
  const { user, system } = process.cpuUsage();
  process.send?.({ peakMiB, stallP99Ms, stallMaxMs, cpuSeconds: (user + system) / 1e6 });
  delay.reset();
});
process.channel?.unref();
