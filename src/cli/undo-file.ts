import { ConfigError } from "../config/config.ts";
import { writeProblem } from "../config/files.ts";
import { printable } from "../drain/errors.ts";
import { DrainsFile } from "../ledger/report-files.ts";
import type { Call } from "./call.ts";

/** The file in which `--undo-file` records what drains have done, for `cancel --from`. */
export interface UndoFile {
  /** Replaces the record of the drain. Never rejects. */
  save(drainId: string, report: object): Promise<void>;
}

/** As the flag says. Throws `ConfigError`. */
export async function undoFileFor(
  { undoFile: path }: { readonly undoFile?: string },
  { streams: { stderr } }: Pick<Call, "streams">,
): Promise<UndoFile | undefined> {
  if (path === undefined) return undefined;
  return openUndoFile(path, (problem) => stderr.write(`hasta-la-vista: ${problem}\n`));
}

/**
 * Creates the file before anything is drained, so that nothing is drained without it. Throws `ConfigError` if it can't
 * be created, or exists already.
 */
async function openUndoFile(path: string, onTrouble: (problem: string) => void): Promise<UndoFile> {
  const drains = new Map<string, object>();
  const file = new DrainsFile(path);
  const text = () => `${JSON.stringify({ drains: [...drains.values()] })}\n`;
  const problemOf = (error: unknown) => writeProblem(error as NodeJS.ErrnoException);
  try {
    await file.create(text());
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    const problem = isThere ? "the file is there already: give a new one, or remove it" : problemOf(error);
    throw new ConfigError([`--undo-file is '${printable(path)}', which can't be used: ${problem}`]);
  }
  let writing = Promise.resolve();
  let isTold = false;
  return {
    save: (drainId, report) => {
      drains.set(drainId, report);
      writing = writing
        .then(() => file.replace(text()))
        .catch((error: unknown) => {
          if (!isTold) onTrouble(`--undo-file is '${printable(path)}', which can't be written: ${problemOf(error)}`);
          isTold = true;
        });
      return writing;
    },
  };
}
