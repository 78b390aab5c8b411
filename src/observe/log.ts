export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Writes a line, with `about` as its fields or without. */
export interface WriteLine {
  (about: object, message: string): void;
  (message: string): void;
}

/** Where the lines go that people read. */
export type Log = Readonly<Record<Level, WriteLine>>;
