import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** An older report is useless: the machine is gone, or other programs have changed its registrations since. */
const KEPT_MS = 14 * 86_400_000;
/** The number of files that are read. In a folder that other programs use too, the others are not. */
const FILES_MAX = 10_000;
const NAME = /^(i-[0-9a-f]{8,17})\.([\w-]{1,100})\.json$/;

export interface ReportFile {
  readonly path: string;
  /** The instance id. */
  readonly node: string;
  readonly drain: string;
  /**
   * When it was last written, in milliseconds since the epoch. Absent: it was removed meanwhile, or the file system
   * does not say.
   */
  readonly at?: number;
}

/** The drains of the report are undone, or are too old. Throws the error of the file system. */
export function removeReport({ path }: ReportFile): Promise<void> {
  return rm(path, { force: true });
}

/**
 * Reports of commands' drains, a file for each drain. A command has no ledger, and only its report allows its targets
 * to be registered again. Each file is written as a whole.
 */
export class ReportFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Replaces what was saved of the drain. Throws the error of the file system. */
  async save(node: string, drain: string, text: string): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, `${node}.${drain}.json`);
    const unfinished = `${path}.${process.pid}`;
    await writeFile(unfinished, text, { mode: 0o600 });
    await rename(unfinished, path);
  }

  /** Newest first. Empty if there is no folder. Throws the error of the file system. */
  async list(): Promise<readonly ReportFile[]> {
    const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    const found = names.slice(0, FILES_MAX).flatMap((name) => {
      const [, node, drain] = NAME.exec(name) ?? [];
      return node === undefined || drain === undefined ? [] : [{ path: join(this.folder, name), node, drain }];
    });
    const dated = found.map(async (file): Promise<ReportFile> => {
      const known = await stat(file.path).catch(() => undefined);
      return { ...file, ...(known && { at: known.mtimeMs }) };
    });
    return (await Promise.all(dated)).sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  }

  /** Removes those that are too old at `now`, in milliseconds since the epoch. */
  async removeOld(now: number): Promise<void> {
    for (const file of await this.list())
      if (file.at !== undefined && now - file.at > KEPT_MS) await removeReport(file);
  }
}

/** A file with the report of a command's drains, at the path that the person who runs the command gives. */
export class DrainsFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws the error of the file system, with `EEXIST` if the file exists. */
  async create(text: string): Promise<void> {
    await writeFile(this.#path, text, { mode: 0o600, flag: "wx" });
  }

  /** As a whole, so that no reader gets half of it. Throws the error of the file system. */
  async replace(text: string): Promise<void> {
    const unfinished = `${this.#path}.${process.pid}`;
    await writeFile(unfinished, text, { mode: 0o600 });
    await rename(unfinished, this.#path);
  }
}
