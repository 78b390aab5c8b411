import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { Displaced, diskProblem } from "./ledger-file.ts";

const LOCK_NAME = "lock";
/** Several processes may try to take over the lock of a dead process at once. */
const ATTEMPTS_MAX = 5;
/** Of a socket's path; the operating system has no room for more. */
const PATH_BYTES_MAX = 100;
const IN_USE = "another process uses it: give each process its own directory";
const NO_LOCK = `'${LOCK_NAME}' in it is not a lock of this program: remove it`;

/**
 * Keeps other processes out of a folder until it is released, or this process is dead: it listens on a socket in there,
 * which no other process can while it lives. Sees containers on one machine, not other machines. A lock that is removed is
 * made again at once.
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

  /** Throws where another process is there already. */
  static async take(folder: string): Promise<FolderLock> {
    return new FolderLock(folder, await hold(folder));
  }

  /** Throws `Displaced` where another process has taken the folder, or where it is gone. */
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
    // Closing a socket removes what stands under its name, also where that is another process's by now.
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

  /** Only makes it sooner: what it misses the next write notices. */
  #watch(): void {
    const { path } = this.#held;
    try {
      const watcher = watch(path, { persistent: false }, () => void this.check().catch(() => {}));
      watcher.on("error", () => watcher.close());
      this.#held.watcher = watcher;
    } catch {
      // As many files are watched already as the operating system allows.
    }
  }
}

interface Held {
  readonly server: Server;
  readonly handle: FileHandle;
  readonly path: string;
  /** Which socket it is. */
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
  // Linux knows an open folder by a short name, too.
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

/** Whether a process listens there. Throws if this process has no permission to ask. */
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

/** Only the one that was seen to be dead: another process may have taken over meanwhile. */
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
