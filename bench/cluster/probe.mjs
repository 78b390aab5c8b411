// Loaded into the service's process before it: tells its parent, when asked, what the process has and has used.
import { processValues } from "../soak/process-values.mjs";

process.on("message", () => {
  const { user, system } = process.cpuUsage();
  const peakMiB = process.resourceUsage().maxRSS / 1_024;
  process.send?.({ ...processValues(), cpuSeconds: (user + system) / 1e6, peakMiB });
});
// What is asked of it must not keep the service alive.
process.channel?.unref();
