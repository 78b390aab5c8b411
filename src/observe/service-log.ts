import { pino } from "pino";
import type { Log } from "./log.ts";
import { LOG_LINES } from "./log-lines.ts";

/** JSON lines on stdout. No transport: their worker threads don't survive bundling. */
export function createLog(level: string): Log {
  const logger = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  return (message, fields) => logger[LOG_LINES[message].level](fields as object, message as string);
}
