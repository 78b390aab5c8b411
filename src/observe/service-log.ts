import { pino } from "pino";
import type { Log } from "./log.ts";

/** JSON lines on stdout. No transport: their worker threads don't survive bundling. */
export function createLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
