import { DrainError } from "../drain/errors.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import type { Copied, LedgerFile, Line } from "./ledger-file.ts";
import type { LedgerIndex, RetentionBounds } from "./ledger-index.ts";
import { drainOf, entryOf, lineStart } from "./lines.ts";

/** What the file has of these drains between two places, in order. */
export async function storedEntries(
  file: LedgerFile,
  drains: readonly string[],
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly LedgerEntry[]> {
  const wanted = new Set(drains);
  const only = drains.length === 1 ? Buffer.from(lineStart(drains[0] ?? "")) : Buffer.alloc(0);
  const entries: LedgerEntry[] = [];
  for await (const lines of file.lines(from, to)) {
    for (const { bytes } of lines) {
      // Most lines are others': reading one drain must not cost as much as reading all.
      if (!bytes.subarray(0, only.length).equals(only)) continue;
      const entry = entryOf(bytes.toString("utf8"));
      if (entry !== undefined && wanted.has(entry.drain)) entries.push(entry);
    }
  }
  return entries;
}

/** Rewrites the file with the retained entries, as `LedgerFile.rewrite` does. `isSound`: a line that is not is left out. */
export function copyRetained(
  file: LedgerFile,
  index: LedgerIndex,
  bounds: RetentionBounds,
  isSound: (line: Line) => boolean = () => true,
): Promise<Copied> {
  const dropped = index.dropped(bounds);
  // Drains that begin meanwhile are kept, too.
  const isRetained = (drain: string) => index.get(drain) !== undefined && !dropped.has(drain);
  const places: { readonly drain: string; readonly from: number; readonly to: number }[] = [];
  return file.rewrite({
    isRetained: (line) => isRetained(drainOf(line.bytes) ?? "") && isSound(line),
    onRetained: ({ bytes }, from) => places.push({ drain: drainOf(bytes) ?? "", from, to: from + bytes.length + 1 }),
    done() {
      index.rewritten(dropped);
      for (const { drain, from, to } of places) index.written(drain, from, to);
    },
  });
}

export function unavailable(what: "written" | "read", cause: unknown): DrainError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DrainError("ledger-unavailable", `the ledger could not be ${what}: ${why}`, { cause });
}
