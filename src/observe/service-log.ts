import { pino } from "pino";
import { type Log, withoutRepeats } from "./log.ts";
import { LOG_LINES } from "./log-lines.ts";

/** Where lines go: the descriptor of a file or pipe of this process, where it has one. */
interface LogOutput {
  write(text: string): unknown;
  readonly fd?: number;
}

/** JSON lines on `output`. No transport: their worker threads don't survive bundling. `now`: in milliseconds since the epoch. */
export function createLog(level: string, output: LogOutput, now: () => number): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // Straight to the descriptor, as pino does by itself: a line is out before what follows it happens.
    output.fd === undefined ? { write: (line) => void output.write(line) } : pino.destination(output.fd),
  );
  return withoutRepeats(
    (message, fields) => logger[LOG_LINES[message].level](fields as object, message as string),
    now,
  );
}
