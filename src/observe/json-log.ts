import { LEVELS, type Level, type Log, type WriteLine } from "./log.ts";

export interface JsonLogOptions {
  readonly level: Level;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/** The same lines as the service's, without a library: for where each kilobyte is loaded while a node waits. */
export function jsonLog({ level, now, write }: JsonLogOptions): Log {
  const lineAt =
    (at: Level): WriteLine =>
    (about: object | string, message?: string) => {
      if (LEVELS.indexOf(at) < LEVELS.indexOf(level)) return;
      const line = typeof about === "string" ? { msg: about } : { ...about, msg: message };
      write(`${JSON.stringify({ level: at, time: new Date(now()).toISOString(), ...line })}\n`);
    };
  return { debug: lineAt("debug"), info: lineAt("info"), warn: lineAt("warn"), error: lineAt("error") };
}
