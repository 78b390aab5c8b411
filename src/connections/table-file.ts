import { createReadStream } from "node:fs";
import { type Connection, type LineReader, Unreadable } from "./connection.ts";

/** Far more than a line of these tables has. */
const LINE_CHARACTERS_MAX = 4_096;
/** More connections than a node can forward. Linux limits its own table to 262,144 by default. */
const LINES_MAX = 300_000;

export interface TableFile {
  readonly path: string;
  readonly read: LineReader;
}

interface ReadLimits {
  /** When the read is aborted, by `now`. */
  readonly until: number;
  readonly now: () => number;
}

/**
 * Calls `onConnection` for each connection of a table. It reads the table piece by piece, so that its memory does not
 * grow with the table. Throws `Unreadable` if that takes too long (older kernels take time quadratic in the length of
 * conntrack's table), if there are too many lines, and if it is cut off or malformed. Nothing is known about any
 * connection then.
 */
export async function readTable(
  { path, read }: TableFile,
  onConnection: (connection: Connection) => void,
  { until, now }: ReadLimits,
): Promise<void> {
  let [rest, lines] = ["", 0];
  try {
    for await (const piece of createReadStream(path, { encoding: "latin1" })) {
      if (now() > until) throw new Unreadable("it takes too long to read");
      const text = rest + String(piece);
      let from = 0;
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", from)) {
        lines += 1;
        if (lines > LINES_MAX) throw new Unreadable(`it has more than ${LINES_MAX} lines`);
        const connection = read(text.slice(from, end));
        if (connection !== undefined) onConnection(connection);
        from = end + 1;
      }
      rest = text.slice(from);
      if (rest.length > LINE_CHARACTERS_MAX) throw new Unreadable("a line is not as the kernel writes it");
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  if (rest !== "") throw new Unreadable(`${path} can't be used: it is cut off`);
}

function unreadable(path: string, error: unknown): unknown {
  if (error instanceof Unreadable) return new Unreadable(`${path} can't be used: ${error.message}`, error.code);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error : new Unreadable(`${path} can't be read (${code})`, code);
}
