// Loaded into the service's process before it: tells its parent, when asked, what the process holds.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { processValues } from "./process-values.mjs";

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.on("message", () => {
  // Before the collection, which stalls it too.
  const stallMs = delay.percentile(99) / 1e6;
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  process.send?.({ ...processValues(), listeners, stallMs });
  delay.reset();
});
// What is asked of it must not keep the service alive.
process.channel?.unref();
