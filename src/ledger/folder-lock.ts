import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { Displaced, diskProblem } from "./ledger-file.ts";

const LOCK_NAME = "lock";
/** Several processes may try to take over the lock of a dead process at the same time. */
const ATTEMPTS_MAX = 5;
/** The operating system limits the path of a socket. */
const PATH_BYTES_MAX = 100;
const IN_USE = "another process uses it: give each process its own directory";
const NO_LOCK = `'${LOCK_NAME}' in it is not a lock of this program: remove it`;

/**
 * Keeps other processes out of a folder until it is released, or this process has ended. It listens on a socket in the
 * folder, which no other process can while it lives. It works between containers on one machine, not between machines.
 * If the lock is removed, it is made again at once.
 */
export class FolderLock {
  readonly #folder: string;
  #held: Held;
  #checked: Promise<void> = Promise.resolve();
  #isReleased = false;

  private constructor(folder: string, held: Held) {
    this.#folder = folder;
    this.#held = held;
    this.#watch();
  }

  /** Throws if another process has the folder. */
  static async take(folder: string): Promise<FolderLock> {
    return new FolderLock(folder, await hold(folder));
  }

  /** Throws `Displaced` if another process has taken the folder, or if the folder is gone. */
  check(): Promise<void> {
    this.#checked = this.#checked.then(
      () => this.#makeSure(),
      () => this.#makeSure(),
    );
    return this.#checked;
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    await this.#checked.catch(() => {});
    // Closing a socket removes the file of its name, even if that belongs to another process by now.
    if (!(await this.#isAnothers())) return letGo(this.#held);
    const { watcher, handle } = this.#held;
    watcher?.close();
    await handle.close().catch(() => {});
  }

  async #makeSure(): Promise<void> {
    const there = await this.#there();
    if (there?.ino === this.#held.ino || this.#isReleased) return;
    try {
      if (await this.#isAnothers()) throw new Error(IN_USE);
      if (there !== undefined && !there.isSocket()) throw new Error(NO_LOCK);
      await letGo(this.#held);
      this.#held = await hold(this.#folder);
      this.#watch();
    } catch (error) {
      throw new Displaced(
        `the lock of '${this.#folder}' was removed while the service was running, and could not be made again: ${diskProblem(error as Error)}`,
      );
    }
  }

  #there() {
    return stat(join(this.#folder, LOCK_NAME)).catch(() => undefined);
  }

  async #isAnothers(): Promise<boolean> {
    const there = await this.#there();
    if (there === undefined || there.ino === this.#held.ino || !there.isSocket()) return false;
    return answers(this.#held.path).catch(() => true);
  }

  /** This only speeds up the reaction. The next write notices what it misses. */
  #watch(): void {
    const { path } = this.#held;
    try {
      const watcher = watch(path, { persistent: false }, () => void this.check().catch(() => {}));
      watcher.on("error", () => watcher.close());
      this.#held.watcher = watcher;
    } catch {
      // The limit of the operating system for watched files is reached.
    }
  }
}

interface Held {
  readonly server: Server;
  readonly handle: FileHandle;
  readonly path: string;
  /** Identifies the socket. */
  readonly ino: number;
  watcher?: FSWatcher;
}

async function hold(folder: string): Promise<Held> {
  const handle = await open(folder, "r");
  try {
    const { server, path } = await listenIn(folder, handle);
    server.unref();
    const { ino } = await stat(path);
    return { server, handle, path, ino };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function letGo({ server, handle, watcher }: Held): Promise<void> {
  watcher?.close();
  await new Promise((resolve) => server.close(resolve));
  await handle.close().catch(() => {});
}

async function listenIn(folder: string, { fd }: FileHandle): Promise<Pick<Held, "server" | "path">> {
  const path = join(folder, LOCK_NAME);
  // On Linux, an open folder has a short name too.
  const short = Buffer.byteLength(path) <= PATH_BYTES_MAX ? path : `/proc/self/fd/${fd}/${LOCK_NAME}`;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    try {
      return { server: await listen(short), path: short };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    if (!found.isSocket()) throw new Error(NO_LOCK);
    if (await answers(short)) break;
    await removeStale(path, found.ino);
  }
  throw new Error(IN_USE);
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

/** Whether a process listens there. Throws if this process has no permission to connect. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else if (error.code === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}

/** Only the lock that was seen to be stale: another process may have taken over meanwhile. */
async function removeStale(path: string, ino: number): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
    if ((await stat(aside)).ino === ino) await rm(aside);
    else await rename(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
