import { LOG_LINES, type LogFields, type LogMessage } from "./log-lines.ts";

/** Writes a line that `LOG_LINES` has, and no other. */
export type Log = <M extends LogMessage>(message: M, fields: LogFields<M>) => void;

/** A line that another part has composed. */
export type LogLine = {
  readonly [M in LogMessage]: { readonly message: M; readonly fields: LogFields<M> };
}[LogMessage];

export function writeLine(log: Log, { message, fields }: LogLine): void {
  // That they belong together is lost where any of the lines is meant.
  (log as (message: LogMessage, fields: object) => void)(message, fields);
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

export interface JsonLogOptions {
  readonly level: (typeof LEVELS)[number];
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/** The same lines as the service's, without a library: every kilobyte counts while a node waits for a Lambda function. */
export function jsonLog({ level: lowest, now, write }: JsonLogOptions): Log {
  return (message, fields) => {
    const { level } = LOG_LINES[message];
    if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return;
    write(`${JSON.stringify({ level, time: new Date(now()).toISOString(), ...fields, msg: message })}\n`);
  };
}
