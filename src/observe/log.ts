const LEVELS = ["debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

/** Writes a line, with `about` as its fields or without. */
interface WriteLine {
  (about: object, message: string): void;
  (message: string): void;
}

/** A line, whoever writes it. */
export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly about: object;
}

export function writeLine(log: Log, { level, message, about }: LogLine): void {
  log[level](about, message);
}

/** Where the lines go that people read. */
export type Log = Readonly<Record<Level, WriteLine>>;

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
