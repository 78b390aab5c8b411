import { join } from "node:path";
import { DrainError } from "../drain/errors.ts";
import type { LogPiece } from "../drain/shared-log.ts";
import { NEWLINE, writeAll } from "./file-lines.ts";
import { type Files, LEDGER_NAME, LedgerFile, OWNER_ONLY, type Sharing } from "./ledger-file.ts";

export interface SharedFile {
  readonly file: LedgerFile;
  /** What is missing in the shared log, or was changed, as sentences. */
  readonly damage: readonly string[];
}

/**
 * Opens the file in a folder as a copy of the shared log, which is taken over. If the log was never used, an existing
 * file is put into it: the drains of a service that had no shared log until now. Throws `DrainError`
 * `ledger-unavailable` if the log fails, or the reason of its signal.
 */
export async function openShared(folder: string, files: Files, sharing: Sharing): Promise<SharedFile> {
  const { log, signal } = sharing;
  const { isNew, pieces } = await shared("read", log.takeOver(signal), signal);
  const damage = isNew ? [] : await fill(folder, files, pieces);
  const file = await LedgerFile.open(folder, files);
  try {
    if (isNew) {
      let whole = 0;
      for await (const lines of file.lines(0, file.size)) whole = lines.at(-1)?.end ?? whole;
      if (whole > 0) await shared("written", log.replace(file.bytes(0, whole), signal), signal);
    }
    file.share(sharing);
    return { file, damage };
  } catch (error) {
    file.close().catch(() => {});
    throw error;
  }
}

async function shared<T>(what: "read" | "written", work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    throw new DrainError("ledger-unavailable", `the shared ledger could not be ${what}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Replaces the file by one with these pieces. Resolves with the damages. */
async function fill(folder: string, files: Files, pieces: AsyncIterable<LogPiece>): Promise<readonly string[]> {
  const path = join(folder, LEDGER_NAME);
  const fresh = await files.open(`${path}.new`, "w+", OWNER_ONLY);
  const damage: string[] = [];
  try {
    let [size, isLineEnd] = [0, true];
    const put = async (bytes: Buffer) => {
      if (bytes.length === 0) return;
      await writeAll(fresh, bytes, size);
      size += bytes.length;
      isLineEnd = bytes.at(-1) === NEWLINE;
    };
    for await (const piece of pieces) {
      if ("bytes" in piece) await put(piece.bytes);
      else {
        damage.push(piece.damage);
        // A part of a line must not be joined with the next line.
        if (!isLineEnd) await put(Buffer.of(NEWLINE));
      }
    }
  } finally {
    await fresh.close();
  }
  await files.rename(`${path}.new`, path);
  return damage;
}
