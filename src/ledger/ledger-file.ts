import * as fs from "node:fs/promises";
import { join } from "node:path";

export type Handle = Pick<fs.FileHandle, "read" | "write" | "datasync" | "truncate" | "sync" | "stat" | "close">;

/** The used part of a file system, so that a test can have one that fails. */
export interface Files {
  open(path: string, flags: string | number, mode?: number): Promise<Handle>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: boolean }): Promise<void>;
  copyFile(from: string, to: string, mode: number): Promise<void>;
}

export interface Line {
  readonly bytes: Buffer;
  /** Where the next line begins. */
  readonly end: number;
}

export interface Rewriting {
  readonly isRetained: (line: Line) => boolean;
  /** Hears of each line where it begins in the new file. */
  readonly onRetained: (line: Line, from: number) => void;
  /** The new file is in place. It may still fail to outlive the machine: that is thrown afterwards. */
  readonly done: () => void;
}

/** A new file, up to what was appended to the old one meanwhile. */
export interface Copied {
  /** Puts the new file in the old one's place. Where that fails, the old one stays, and nothing of the new one does. */
  finish(): Promise<void>;
  /** Leaves the old file in its place. */
  discard(): Promise<void>;
}

/** The file's name in its folder. */
const LEDGER_NAME = "drains.jsonl";
const CHUNK_BYTES = 256 * 1_024;
const OWNER_ONLY = 0o600;
const NEWLINE = 10;

/** A file of lines that grows at its end, and is rewritten from time to time. One caller at a time writes. */
export class LedgerFile {
  readonly #folder: string;
  readonly #files: Files;
  /** When it was written last before it was opened, in milliseconds since the epoch, by the machine's time of day then. */
  readonly writtenAt: number;
  #handle: Handle;
  #size: number;
  /** Behind the size there may be parts of lines. */
  #isTorn = false;

  private constructor(
    folder: string,
    files: Files,
    handle: Handle,
    { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number },
  ) {
    this.#folder = folder;
    this.#files = files;
    this.#handle = handle;
    this.#size = size;
    this.writtenAt = mtimeMs;
  }

  /** Makes it where there is none. Throws what the operating system says. */
  static async open(folder: string, files: Files = fs): Promise<LedgerFile> {
    await files.rm(join(folder, `${LEDGER_NAME}.new`), { force: true });
    const { O_RDWR, O_CREAT } = fs.constants;
    const handle = await files.open(join(folder, LEDGER_NAME), O_RDWR | O_CREAT, OWNER_ONLY);
    const file = new LedgerFile(folder, files, handle, await handle.stat());
    await file.#syncFolder();
    return file;
  }

  get size(): number {
    return this.#size;
  }

  /** All or nothing: what a failure has left of it is taken back. Lost when the machine dies, but not with the process. */
  async append(bytes: Buffer): Promise<void> {
    if (this.#isTorn) await this.#handle.truncate(this.#size);
    this.#isTorn = true;
    await writeAll(this.#handle, bytes, this.#size);
    this.#size += bytes.length;
    this.#isTorn = false;
  }

  /** From now on what was appended outlives the machine. */
  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  /** What stands behind `size` is not meant any more. */
  takeBack(size: number): void {
    this.#size = size;
    this.#isTorn = true;
  }

  /** The whole lines between two places, without their ends, many at a time. What follows the last end is left out. */
  async *lines(from: number, to: number): AsyncGenerator<readonly Line[]> {
    let rest: Buffer[] = [];
    for (let at = from; at < to; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      const read = chunk.subarray(0, bytesRead);
      const lines: Line[] = [];
      let start = 0;
      for (let end = read.indexOf(NEWLINE); end !== -1; end = read.indexOf(NEWLINE, start)) {
        const last = read.subarray(start, end);
        lines.push({ bytes: rest.length === 0 ? last : Buffer.concat([...rest, last]), end: at + end + 1 });
        rest = [];
        start = end + 1;
      }
      if (start < read.length) rest.push(read.subarray(start));
      at += bytesRead;
      yield lines;
    }
  }

  /**
   * Leaves only the lines that `isKept`, in one step: whatever happens meanwhile, the file is the old one or the new one.
   * What stands in it now, and is sound, is copied beside it, while others append and read. Resolves with the rest of
   * the work, during which no other code may write or read: `finish` or `discard`.
   */
  async rewrite({ isRetained, onRetained, done }: Rewriting): Promise<Copied> {
    const upTo = this.#size;
    const path = join(this.#folder, LEDGER_NAME);
    const fresh = await this.#files.open(`${path}.new`, "w+", OWNER_ONLY);
    let size = 0;
    let copied = 0;
    const copy = async (to: number) => {
      for await (const lines of this.lines(copied, to)) {
        const parts: Buffer[] = [];
        let from = size;
        for (const line of lines.filter(isRetained)) {
          parts.push(line.bytes, Buffer.of(NEWLINE));
          onRetained(line, from);
          from += line.bytes.length + 1;
        }
        await writeAll(fresh, Buffer.concat(parts), size);
        size = from;
      }
      copied = to;
      await fresh.datasync();
    };
    const discard = async () => {
      await fresh.close().catch(() => {});
      await this.#files.rm(`${path}.new`, { force: true }).catch(() => {});
    };
    const orDiscard = (error: unknown) =>
      discard().then(() => {
        throw error;
      });
    await copy(upTo).catch(orDiscard);
    const finish = async () => {
      await copy(this.#size)
        .then(() => this.#files.rename(`${path}.new`, path))
        .catch(orDiscard);
      const old = this.#handle;
      this.#handle = fresh;
      this.#size = size;
      this.#isTorn = false;
      done();
      await old.close().catch(() => {});
      await this.#syncFolder();
    };
    return { finish, discard };
  }

  /** Copies it, and returns under which name. */
  async copyAside(suffix: string): Promise<string> {
    const path = join(this.#folder, `${LEDGER_NAME}.${suffix}`);
    await this.#files.copyFile(join(this.#folder, LEDGER_NAME), path, fs.constants.COPYFILE_EXCL);
    return path;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** A new name outlives the machine only then. */
  async #syncFolder(): Promise<void> {
    const folder = await this.#files.open(this.#folder, "r");
    try {
      await folder.sync();
    } catch (error) {
      // Some file systems have no such thing.
      if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
    } finally {
      await folder.close();
    }
  }
}

async function writeAll(handle: Handle, bytes: Buffer, at: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
}
