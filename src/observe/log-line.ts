type Level = "debug" | "info" | "warn" | "error";

/** `?` at the end marks a field that a line may lack. */
export interface Listed<F extends string = string> {
  readonly level: Level;
  readonly fields: readonly F[];
  /** The line may come every few seconds. These fields are its subject: the first line for each of them is written. */
  readonly subject?: readonly string[];
  /** The message of the failures that have ended. */
  readonly ends?: string;
}

export function line<F extends string = never>(level: Level, ...fields: readonly F[]): Listed<F> {
  return { level, fields };
}

/** A failure that is retried: see `withoutRepeats` in `log.ts`. */
export function repeating<F extends string>(
  { level, fields }: Listed<F>,
  ...subject: readonly F[]
): Listed<F | "repeated?"> {
  return { level, fields: [...fields, "repeated?"], subject };
}

/** The end of failures that were retried. */
export function recovery<F extends string>({ level, fields }: Listed<F>, ends: string): Listed<F | "repeated?"> {
  return { level, fields: [...fields, "repeated?"], ends };
}

export const drain = <F extends string = never>(level: Level, ...more: readonly F[]) =>
  line<"drain" | "node" | F>(level, "drain", "node", ...more);

const REGISTRATION = ["kind", "loadBalancer?", "pool", "place?", "target"] as const;
export const target = <F extends string = never>(level: Level, ...more: readonly F[]) =>
  drain<(typeof REGISTRATION)[number] | F>(level, ...REGISTRATION, ...more);

export const guarded = (level: Level) =>
  target(level, "zone?", "healthyNow?", "wouldStay?", "needed?", "isPoolMinimum?");

/** The end of a drain; of a request for a node that was not found, `asked` in place of `drain` and `node`. */
export const ended = <F extends string = never>(level: Level, ...more: readonly F[]) =>
  line<"drain?" | "node?" | "asked?" | "outcome" | "tookSeconds?" | F>(
    level,
    ...(["drain?", "node?", "asked?", "outcome", "tookSeconds?"] as const),
    ...more,
  );

export const message = <F extends string = never>(level: Level, ...more: readonly F[]) =>
  line<"messageId" | F>(level, "messageId", ...more);

export const ANNOUNCEMENT = ["node", "event", "reason", "eventId?", "region?", "group?", "hook?"] as const;

export const announcement = <F extends string = never>(level: Level, ...more: readonly F[]) =>
  message<(typeof ANNOUNCEMENT)[number] | F>(level, ...ANNOUNCEMENT, ...more);

export const hook = <F extends string = never>(level: Level, ...more: readonly F[]) =>
  line<"node" | "group" | "hook" | F>(level, "node", "group", "hook", ...more);
