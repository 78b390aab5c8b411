import { fileProblem, readTextFile } from "../config/files.ts";
import { printable } from "../drain/errors.ts";
import { type ReportFile, ReportFiles, removeReport } from "../ledger/report-files.ts";
import type { Environment } from "./call.ts";
import { DRAIN_BYTES_MAX, type ReportedDrain, readDrainReports } from "./drain-file.ts";
import { recordsFolder } from "./drain-records.ts";

export interface RecordedDrain extends ReportedDrain {
  readonly file: ReportFile;
}

/**
 * The drains that were recorded for this environment, newest first. `onTrouble`: called for each file that can't be
 * used.
 */
export async function readRecords(
  environment: Environment,
  onTrouble: (problem: string) => void,
): Promise<readonly RecordedDrain[]> {
  const folder = recordsFolder(environment);
  if (folder === undefined) return [];
  const drains: RecordedDrain[] = [];
  try {
    for (const file of await new ReportFiles(folder).list()) {
      try {
        const text = await readTextFile(file.path, DRAIN_BYTES_MAX);
        drains.push(...readDrainReports(`the record ${file.path}`, text).map((drain) => ({ ...drain, file })));
      } catch (error) {
        onTrouble((error as Error).message);
      }
    }
  } catch (error) {
    onTrouble(`${printable(folder, 200)} can't be read: ${fileProblem(error as NodeJS.ErrnoException)}`);
  }
  return drains;
}

/** Removes the records of undone drains. Never rejects: a record that stays is undone once more. */
export async function forget(drains: readonly RecordedDrain[]): Promise<void> {
  for (const { file } of drains) await removeReport(file).catch(() => {});
}
