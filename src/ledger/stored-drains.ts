import { DrainError } from "../drain/errors.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import type { Line } from "./file-lines.ts";
import { type Copied, diskProblem, type FileView, type LedgerFile } from "./ledger-file.ts";
import type { LedgerIndex, Place, RetentionBounds } from "./ledger-index.ts";
import { drainOf, entryOf, lineOf, lineStart } from "./lines.ts";

/** The entries of a drain in these parts of the file, in order. */
export async function storedEntries(
  file: Pick<FileView, "lines">,
  { drain, places }: { readonly drain: string; readonly places: readonly Place[] },
  signal: AbortSignal,
): Promise<readonly LedgerEntry[]> {
  const start = Buffer.from(lineStart(drain));
  const entries: LedgerEntry[] = [];
  for (const { from, to } of places) {
    for await (const lines of file.lines(from, to)) {
      signal.throwIfAborted();
      for (const { bytes } of lines) {
        // There may be lines of other drains between those of the drain.
        if (!bytes.subarray(0, start.length).equals(start) && drainOf(bytes) !== drain) continue;
        const entry = entryOf(bytes.toString("utf8"));
        if (entry?.drain === drain) entries.push(entry);
      }
    }
  }
  return entries;
}

interface Retained {
  /** A line that is not sound is skipped. Absent: all are sound. */
  readonly isSound?: (line: Line) => boolean;
  /** See `Rewriting`. */
  readonly more?: () => readonly Line[];
}

/** Rewrites the file with the retained entries, as `LedgerFile.rewrite` does. */
export function copyRetained(
  file: LedgerFile,
  index: LedgerIndex,
  bounds: RetentionBounds,
  { isSound = () => true, more = () => [] }: Retained = {},
): Promise<Copied> {
  const dropped = index.dropped(bounds);
  // Drains that begin meanwhile are kept, too.
  const isRetained = (drain: string) => index.isRetained(drain) && !dropped.has(drain);
  const places: { readonly drain: string; readonly from: number; readonly to: number }[] = [];
  return file.rewrite({
    isRetained: (line) => isRetained(drainOf(line.bytes) ?? "") && isSound(line),
    more,
    onRetained: ({ bytes }, from) => places.push({ drain: drainOf(bytes) ?? "", from, to: from + bytes.length + 1 }),
    done() {
      index.rewritten(dropped);
      for (const { drain, from, to } of places) index.written(drain, from, to);
    },
  });
}

/**
 * Writes the file anew if another program has changed or removed it: what this process can still read of the old file,
 * and what it knows of drains that something depends on. `unwritten` is not included, because it is appended
 * afterwards. Returns the number of lost lines of other drains. No other code may write meanwhile.
 */
export async function writeAnew(
  file: LedgerFile,
  index: LedgerIndex,
  unwritten: () => readonly LedgerEntry[],
): Promise<number> {
  const places: { readonly drain: string; readonly from: number; readonly to: number }[] = [];
  const read = new Map<string, Set<number>>();
  const isSound = ({ bytes }: Line) => {
    const entry = entryOf(bytes.toString("utf8"));
    if (entry === undefined || !index.isRetained(entry.drain)) return false;
    const numbers = read.get(entry.drain) ?? new Set();
    if (numbers.has(entry.n)) return false;
    read.set(entry.drain, numbers.add(entry.n));
    return true;
  };
  const missing = () => {
    const later = new Set(unwritten());
    const entries = [...index.all().values()].flatMap((known) => known.entries ?? []);
    return entries
      .filter((entry) => read.get(entry.drain)?.has(entry.n) !== true && !later.has(entry))
      .map((entry) => ({ bytes: Buffer.from(lineOf(entry).trimEnd()), end: 0 }));
  };
  let lost = 0;
  const copied = await file.rewrite({
    isRetained: isSound,
    onRetained: ({ bytes }, from) => places.push({ drain: drainOf(bytes) ?? "", from, to: from + bytes.length + 1 }),
    more: missing,
    done() {
      const known = [...index.all()].filter(([, { entries }]) => entries === undefined);
      lost = known.reduce((sum, [drain, { lines }]) => sum + lines - (read.get(drain)?.size ?? 0), 0);
      const gone = known.filter(([drain]) => !read.has(drain)).map(([drain]) => drain);
      index.rewritten(new Set(gone));
      for (const { drain, from, to } of places) index.written(drain, from, to);
    },
  });
  await copied.finish();
  return lost;
}

export function unavailable(what: "written" | "read", cause: unknown): DrainError {
  const why = cause instanceof Error ? diskProblem(cause) : String(cause);
  return new DrainError("ledger-unavailable", `the ledger could not be ${what}: ${why}`, { cause });
}
