// Plain JavaScript: the service's process loads it as it is.
import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const MIB = 2 ** 20;

setFlagsFromString("--expose-gc");
/** @type {() => void} */
const collect = runInNewContext("gc");

/**
 * Of this process: memory after a forced collection, and what it holds of the system.
 *
 * @returns {Record<string, number>}
 */
export function processValues() {
  // Twice: buffers are given back only after what held them has gone.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const timers = resources.filter((name) => name === "Timeout" || name === "Immediate").length;
  const sockets = resources.filter((name) => /^(TCP|TLS|Pipe)/.test(name)).length;
  return {
    heapMiB: (heapUsed + external) / MIB,
    timers,
    sockets,
    otherHandles: resources.length - timers - sockets,
    openFiles: readdirSync("/proc/self/fd").length,
  };
}
