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
    output.fd === undefined ? { write: (line) => void output.write(line) } : inTurns(output.fd),
  );
  return withoutRepeats(
    (message, fields) => logger[LOG_LINES[message].level](fields as object, message as string),
    now,
  );
}

/** The lines of one turn of the event loop go out together when it ends. What is left when the process exits is written then. */
function inTurns(fd: number): { write(line: string): void } {
  let lines = "";
  const flush = () => {
    if (lines !== "") destination.write(lines);
    lines = "";
  };
  // Before the destination's own listener, which writes what it has.
  process.once("exit", flush);
  const destination = pino.destination({ dest: fd, sync: false });
  return {
    write: (line) => {
      if (lines === "") setImmediate(flush);
      lines += line;
    },
  };
}
