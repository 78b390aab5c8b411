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

/** So much is written without waiting for the end of the turn. */
const WRITE_MIN_BYTES = 4_096;

/** The lines of one turn of the event loop go out together when it ends. What is left when the process exits is written then. */
function inTurns(fd: number): { write(line: string): void } {
  const destination = pino.destination({ dest: fd, minLength: WRITE_MIN_BYTES, sync: false });
  let unwrittenBytes = 0;
  let isDue = false;
  const flush = () => {
    if (unwrittenBytes > 0) destination.flush();
  };
  destination.on("write", (bytes) => {
    unwrittenBytes -= bytes;
  });
  // A flush while a write is under way does nothing, not even later. This event ends the write.
  destination.on("drain", flush);
  return {
    write: (line) => {
      unwrittenBytes += Buffer.byteLength(line);
      destination.write(line);
      if (isDue) return;
      isDue = true;
      setImmediate(() => {
        isDue = false;
        flush();
      });
    },
  };
}
