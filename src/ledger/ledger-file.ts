import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { SharedLog } from "../drain/shared-log.ts";
import { bytesOf, CUT_BYTES, type Line, linesOf, NEWLINE, writeAll } from "./file-lines.ts";

export type Handle = Pick<fs.FileHandle, "read" | "write" | "datasync" | "truncate" | "sync" | "stat" | "close">;

/** The used part of a file system, so that a test can have one that fails. */
export interface Files {
  open(path: string, flags: string | number, mode?: number): Promise<Handle>;
  stat(path: string): Promise<Awaited<ReturnType<Handle["stat"]>>>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: boolean }): Promise<void>;
  copyFile(from: string, to: string, mode: number): Promise<void>;
}

export interface Rewriting {
  readonly isRetained: (line: Line) => boolean;
  /** Called for each line with its position in the new file. */
  readonly onRetained: (line: Line, from: number) => void;
  /** Lines that are added after the retained ones, each with its end. Absent: none. */
  readonly more?: () => readonly Line[];
  /** Called when the new file is in place. A later failure to make it survive the machine is thrown afterwards. */
  readonly done: () => void;
}

/** A new file, up to what was appended to the old one meanwhile. */
export interface Copied {
  /** Replaces the old file with the new one. If that fails, the old one stays, and the new one is removed. */
  finish(): Promise<void>;
  /** Keeps the old file. */
  discard(): Promise<void>;
}

/** The file at one moment. A rewrite does not change it. */
export interface FileView {
  /** See `LedgerFile.lines`. */
  lines(from: number, to: number): AsyncGenerator<readonly Line[]>;
  release(): void;
}

/** The file's name in its folder. */
export const LEDGER_NAME = "drains.jsonl";
export const OWNER_ONLY = 0o600;

/** An open file, and its readers. */
interface Opened {
  readonly handle: Handle;
  readers: number;
  isReplaced: boolean;
}

/**
 * A log that has everything that the file has, and that survives this machine. What the log does not accept is not in
 * the file either.
 */
export interface Sharing {
  readonly log: SharedLog;
  /** Aborts its calls. */
  readonly signal: AbortSignal;
}

/** Another program has changed the file while this process had it. */
export class Displaced extends Error {
  override readonly name = "Displaced";
}

/** A file of lines that grows at its end, and is rewritten from time to time. One caller at a time writes. */
export class LedgerFile {
  readonly #folder: string;
  readonly #files: Files;
  /**
   * When it was last written before it was opened, in milliseconds since the epoch, by the machine's time of day at
   * that moment.
   */
  readonly writtenAt: number;
  #opened: Opened;
  #size: number;
  /** There may be parts of lines after the size. */
  #isTorn = false;
  #sharing: Sharing | undefined;
  /** Bytes that the shared log has and the file has not, because they could not be written. */
  #ahead: Buffer = Buffer.of();

  private constructor(
    folder: string,
    files: Files,
    handle: Handle,
    { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number },
  ) {
    this.#folder = folder;
    this.#files = files;
    this.#opened = { handle, readers: 0, isReplaced: false };
    this.#size = size;
    this.writtenAt = mtimeMs;
  }

  /** Creates the file if there is none. Throws the error of the operating system, or `Error` if it is not a file. */
  static async open(folder: string, files: Files = fs): Promise<LedgerFile> {
    const path = join(folder, LEDGER_NAME);
    // Opening a device or a pipe may have an effect, or wait.
    const there = await files.stat(path).catch(orUndefined);
    if (there !== undefined && !there.isFile()) throw new Error(NO_FILE);
    await files.rm(`${path}.new`, { force: true });
    const { O_RDWR, O_CREAT, O_NONBLOCK } = fs.constants;
    const handle = await files.open(path, O_RDWR | O_CREAT | O_NONBLOCK, OWNER_ONLY);
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw new Error(NO_FILE);
      const file = new LedgerFile(folder, files, handle, found);
      await file.#syncFolder();
      return file;
    } catch (error) {
      handle.close().catch(() => {});
      throw error;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** From now on everything is written to the log first. It already has what the file has. */
  share(sharing: Sharing): void {
    this.#sharing = sharing;
  }

  /** See `SharedLog`. 1 if the file is not shared. */
  get pieceCount(): number {
    return this.#sharing?.log.pieceCount ?? 1;
  }

  /** Throws `Displaced` if the file is not the one that this process has written, or has another length. */
  async check(): Promise<void> {
    const both = Promise.all([this.#opened.handle.stat(), this.#files.stat(this.#path).catch(orUndefined)]);
    // An error here does not mean that the file is gone. The write shows whether it can be written.
    const [own, there] = (await both.catch(() => undefined)) ?? [];
    if (own === undefined) return;
    if (there === undefined) throw new Displaced(`${this.#path} was removed while the service was running`);
    if (own.ino !== there.ino || own.dev !== there.dev)
      throw new Displaced(`${this.#path} was replaced by another file while the service was running`);
    if (own.size < this.#size)
      throw new Displaced(`${this.#path} was truncated from ${this.#size} to ${own.size} bytes by another program`);
    if (own.size > this.#size && !this.#isTorn)
      throw new Displaced(`${this.#path} was written by another program: ${own.size - this.#size} bytes were added`);
  }

  /**
   * All or nothing: the part that a failed write leaves is removed. The bytes survive the process, but not the machine.
   * After a failure the next call must begin with the same bytes.
   */
  async append(bytes: Buffer): Promise<void> {
    await this.#shareFirst(bytes);
    const { handle } = this.#opened;
    if (this.#isTorn) await handle.truncate(this.#size);
    this.#isTorn = true;
    await writeAll(handle, bytes, this.#size);
    this.#size += bytes.length;
    this.#isTorn = false;
    this.#ahead = Buffer.of();
  }

  async #shareFirst(bytes: Buffer): Promise<void> {
    if (this.#sharing === undefined) return;
    const { log, signal } = this.#sharing;
    const has = this.#ahead.length;
    const rest = bytes.subarray(0, has).equals(this.#ahead) ? bytes.subarray(has) : bytes;
    if (rest.length > 0) await log.append(rest, signal);
    this.#ahead = bytes;
  }

  /** Makes everything that was appended survive the machine. In a shared log it does since `append`. */
  async sync(): Promise<void> {
    if (this.#sharing === undefined) await this.#opened.handle.datasync();
  }

  /** Bytes after `size` are not part of the file any more. */
  takeBack(size: number): void {
    this.#size = size;
    this.#isTorn = true;
  }

  /** The whole lines between two positions, many at a time. What follows the last line end is skipped. */
  lines(from: number, to: number): AsyncGenerator<readonly Line[]> {
    return linesOf(this.#opened.handle, from, to);
  }

  bytes(from: number, to: number): AsyncGenerator<Buffer> {
    return bytesOf(this.#opened.handle, from, to);
  }

  /** The first bytes from this position, such as those of a line without its end. */
  async start(from: number): Promise<Buffer> {
    const { buffer, bytesRead } = await this.#opened.handle.read(Buffer.alloc(CUT_BYTES), 0, CUT_BYTES, from);
    return buffer.subarray(0, bytesRead);
  }

  view(): FileView {
    const opened = this.#opened;
    opened.readers += 1;
    let isReleased = false;
    return {
      lines: (from, to) => linesOf(opened.handle, from, to),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        opened.readers -= 1;
        void closeIfUnused(opened);
      },
    };
  }

  /**
   * Keeps only the lines for which `isRetained` is true, in one step: whatever happens meanwhile, the file is the old
   * one or the new one. What is in it now and is sound is copied, while others append and read. Resolves with the rest
   * of the work, during which no other code may write: `finish` or `discard`.
   */
  async rewrite({ isRetained, onRetained, more = () => [], done }: Rewriting): Promise<Copied> {
    const upTo = this.#size;
    const fresh = await this.#files.open(`${this.#path}.new`, "w+", OWNER_ONLY);
    let size = 0;
    let copied = 0;
    const put = async (lines: readonly Line[]) => {
      const parts: Buffer[] = [];
      let from = size;
      for (const line of lines) {
        parts.push(line.bytes, Buffer.of(NEWLINE));
        onRetained(line, from);
        from += line.bytes.length + 1;
      }
      await writeAll(fresh, Buffer.concat(parts), size);
      size = from;
    };
    const copy = async (to: number) => {
      for await (const lines of this.lines(copied, to))
        await put(lines.filter((line) => line.isTooLong !== true && isRetained(line)));
      copied = to;
    };
    const discard = async () => {
      await fresh.close().catch(() => {});
      await this.#files.rm(`${this.#path}.new`, { force: true }).catch(() => {});
    };
    const orDiscard = (error: unknown) =>
      discard().then(() => {
        throw error;
      });
    await copy(upTo)
      .then(() => fresh.datasync())
      .catch(orDiscard);
    const finish = async () => {
      await copy(this.#size)
        .then(() => put(more()))
        .then(() => fresh.datasync())
        .then(() => this.#shareAnew(fresh, size))
        .then(() => this.#files.rename(`${this.#path}.new`, this.#path))
        .catch(orDiscard);
      const old = this.#opened;
      this.#opened = { handle: fresh, readers: 0, isReplaced: false };
      this.#size = size;
      this.#isTorn = false;
      done();
      old.isReplaced = true;
      await closeIfUnused(old);
      await this.#syncFolder();
    };
    return { finish, discard };
  }

  async #shareAnew(fresh: Handle, size: number): Promise<void> {
    if (this.#sharing === undefined) return;
    await this.#sharing.log.replace(bytesOf(fresh, 0, size), this.#sharing.signal);
    this.#ahead = Buffer.of();
  }

  /** Copies the file, and returns the name of the copy. */
  async copyAside(suffix: string): Promise<string> {
    const path = `${this.#path}.${suffix}`;
    await this.#files.copyFile(this.#path, path, fs.constants.COPYFILE_EXCL);
    return path;
  }

  close(): Promise<void> {
    return this.#opened.handle.close();
  }

  get #path(): string {
    return join(this.#folder, LEDGER_NAME);
  }

  /** Only then does a new name survive the machine. */
  async #syncFolder(): Promise<void> {
    const folder = await this.#files.open(this.#folder, "r");
    try {
      await folder.sync();
    } catch (error) {
      // Some file systems do not have this.
      if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
    } finally {
      await folder.close();
    }
  }
}

const NO_FILE = `'${LEDGER_NAME}' in it is not a regular file: remove it`;

async function closeIfUnused({ handle, readers, isReplaced }: Opened): Promise<void> {
  if (isReplaced && readers === 0) await handle.close().catch(() => {});
}

function orUndefined(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

/** The problem of the ledger's directory in this program's words, and what to do about it. */
export function diskProblem({ code, message }: NodeJS.ErrnoException): string {
  // Other errors are in this program's words already.
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return message;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "the directory does not exist: create it";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `this user has no permission to write there (${code})`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full (${code}): free space, or enlarge the volume`;
    case "EIO":
      return `the disk failed (${code}): check the disk, or the volume, of the directory`;
    case "EOPNOTSUPP":
    case "ENOTSUP":
      return "its file system has no sockets, which the lock needs: give a directory of a local file system";
    default:
      return `the operating system can't use it (${code}): check the disk, or the volume, of the directory`;
  }
}
