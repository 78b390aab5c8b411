import type { Listed } from "./log-line.ts";
import { LOG_LINES, type LogFields, type LogMessage } from "./log-lines.ts";
import { Repeats } from "./repeats.ts";

/** Writes a line that `LOG_LINES` has, and no other. */
export type Log = <M extends LogMessage>(message: M, fields: LogFields<M>) => void;

/** A line that another part has composed. */
export type LogLine = {
  readonly [M in LogMessage]: { readonly message: M; readonly fields: LogFields<M> };
}[LogMessage];

export function writeLine(log: Log, { message, fields }: LogLine): void {
  // The type does not express that message and fields belong together if any line is possible.
  (log as (message: LogMessage, fields: object) => void)(message, fields);
}

/**
 * Omits repeated failures: see `Repeats`. `LOG_LINES` decides which lines are repeated failures. `now`: in milliseconds
 * since the epoch.
 */
export function withoutRepeats(log: Log, now: () => number): Log {
  const repeats = new Repeats(now);
  return (message, fields) => {
    const { subject, ends }: Listed = LOG_LINES[message];
    const given = fields as Readonly<Record<string, unknown>>;
    const write = (repeated: number) => log(message, repeated === 0 ? fields : { ...fields, repeated });
    if (ends !== undefined) return write(repeats.ended(`${ends}:`));
    if (subject === undefined) return log(message, fields);
    // A text may contain another address each time, so a failure without a code is identified by its text.
    const kind = `${message}: ${given["code"] ?? given["error"] ?? ""}`;
    const leftOut = repeats.leftOutBefore(kind, JSON.stringify(subject.map((name) => given[name])));
    if (leftOut !== undefined) write(leftOut);
  };
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

export interface JsonLogOptions {
  readonly level: (typeof LEVELS)[number];
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/**
 * The same lines as the service's, without a library, because every kilobyte delays the start of a Lambda function
 * while a node waits.
 */
export function jsonLog({ level: lowest, now, write }: JsonLogOptions): Log {
  return withoutRepeats((message, fields) => {
    const { level } = LOG_LINES[message];
    if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return;
    write(`${JSON.stringify({ level, time: new Date(now()).toISOString(), ...fields, msg: message })}\n`);
  }, now);
}
