import { pino } from "pino";
import { type Log, withoutRepeats } from "./log.ts";
import { LOG_LINES } from "./log-lines.ts";

/** The output of the log: the descriptor of a file or pipe of this process, if it has one. */
interface LogOutput {
  write(text: string): unknown;
  readonly fd?: number;
}

/**
 * JSON lines on `output`. It uses no transport, because worker threads do not survive bundling. `now`: in milliseconds
 * since the epoch.
 */
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

/** This much is written without waiting for the end of the turn. */
const WRITE_MIN_BYTES = 4_096;

/**
 * The lines of one turn of the event loop are written together when it ends. The rest is written when the process
 * exits.
 */
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
  // A flush during a write does nothing, also not later. This event marks the end of the write.
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
