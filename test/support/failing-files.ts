import * as fs from "node:fs/promises";
import type { Files, Handle } from "../../src/ledger/ledger-file.ts";

type Operation = "open" | "read" | "stat" | "write" | "datasync" | "truncate" | "sync" | "rename" | "copyFile";

export function noSpace(): Error {
  return Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
}

/** The real file system, but each operation may fail, hang or do half of its work first. */
export class FailingFiles implements Files {
  /** What it throws the operation throws, what it awaits the operation waits for. `path`: of what is opened or renamed. */
  before: (operation: Operation, path: string) => unknown = () => {};
  /** Of a write, no more bytes than these are written before it fails. */
  writesBeforeFailure = 0;
  readonly done: Operation[] = [];
  bytesRead = 0;

  async open(path: string, flags: string | number, mode?: number): Promise<Handle> {
    await this.#pass("open", path);
    const handle = await fs.open(path, flags, mode);
    const files = this;
    return {
      async read(...args: unknown[]) {
        await files.#pass("read", path);
        const read = await handle.read(...(args as Parameters<typeof handle.read>));
        files.bytesRead += read.bytesRead;
        return read;
      },
      async stat() {
        await files.#pass("stat", path);
        return handle.stat();
      },
      close: handle.close.bind(handle),
      async write(...args: unknown[]) {
        const [bytes, offset, , at] = args as [Buffer, number, number, number];
        try {
          await files.#pass("write", path);
        } catch (error) {
          await handle.write(bytes, offset, Math.min(files.writesBeforeFailure, bytes.length - offset), at);
          throw error;
        }
        return handle.write(...(args as Parameters<typeof handle.write>));
      },
      async datasync() {
        await files.#pass("datasync", path);
        return handle.datasync();
      },
      async sync() {
        await files.#pass("sync", path);
        return handle.sync();
      },
      async truncate(length: number) {
        await files.#pass("truncate", path);
        return handle.truncate(length);
      },
    } as Handle;
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pass("rename", from);
    return fs.rename(from, to);
  }

  async stat(path: string) {
    await this.#pass("stat", path);
    return fs.stat(path);
  }

  rm(path: string, options: { readonly force: boolean }): Promise<void> {
    return fs.rm(path, options);
  }

  async copyFile(from: string, to: string, mode: number): Promise<void> {
    await this.#pass("copyFile", from);
    return fs.copyFile(from, to, mode);
  }

  async #pass(operation: Operation, path: string): Promise<void> {
    await this.before(operation, path);
    this.done.push(operation);
  }
}
