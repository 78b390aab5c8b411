import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A report that is older is of no use: the machine is gone, or other programs have changed its registrations since. */
const KEPT_MS = 14 * 86_400_000;
/** Files that are looked at: those of a folder in which another program writes too are not. */
const FILES_MAX = 10_000;
const NAME = /^(i-[0-9a-f]{8,17})\.([\w-]{1,100})\.json$/;

export interface ReportFile {
  readonly path: string;
  /** The instance id. */
  readonly node: string;
  readonly drain: string;
  /** When it was last written, in milliseconds since the epoch. Absent: it has gone meanwhile, or does not say. */
  readonly at?: number;
}

/** What it tells of is undone, or too old. Throws what the file system says. */
export function removeReport({ path }: ReportFile): Promise<void> {
  return rm(path, { force: true });
}

/**
 * What drains of commands have done, a file for each drain: a command has no ledger, and what it deregistered can be
 * registered again only from its report. Each file is written as a whole.
 */
export class ReportFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Replaces what was saved of the drain. Throws what the file system says. */
  async save(node: string, drain: string, text: string): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, `${node}.${drain}.json`);
    const unfinished = `${path}.${process.pid}`;
    await writeFile(unfinished, text, { mode: 0o600 });
    await rename(unfinished, path);
  }

  /** The newest first. Empty where there is no folder. Throws what the file system says. */
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

  /** Removes those that are too old by `now`, in milliseconds since the epoch. */
  async removeOld(now: number): Promise<void> {
    for (const file of await this.list())
      if (file.at !== undefined && now - file.at > KEPT_MS) await removeReport(file);
  }
}

/** A file with what drains of a command have done, where the person who runs the command wants it. */
export class DrainsFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws what the file system says, with `EEXIST` where there is such a file. */
  async create(text: string): Promise<void> {
    await writeFile(this.#path, text, { mode: 0o600, flag: "wx" });
  }

  /** As a whole: what is read of it is never half of it. Throws what the file system says. */
  async replace(text: string): Promise<void> {
    const unfinished = `${this.#path}.${process.pid}`;
    await writeFile(unfinished, text, { mode: 0o600 });
    await rename(unfinished, this.#path);
  }
}
