export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Writes a line, with `about` as its fields or without. */
export interface WriteLine {
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
