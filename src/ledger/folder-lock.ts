import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

const LOCK_NAME = "lock";
/** Several processes may try to take over the lock of a dead process at once. */
const ATTEMPTS_MAX = 5;
/** Of a socket's path; the operating system has no room for more. */
const PATH_BYTES_MAX = 100;

/**
 * Keeps other processes out of a folder until the returned function is called, or this process is dead: it listens on a
 * socket in there, which no other process can while it lives. Sees containers on one machine, not other machines. Throws
 * where another process is there already.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const handle = await open(folder, "r");
  try {
    const server = await listenIn(folder, handle);
    server.unref();
    return async () => {
      await new Promise((resolve) => server.close(resolve));
      await handle.close();
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function listenIn(folder: string, { fd }: FileHandle): Promise<Server> {
  const path = join(folder, LOCK_NAME);
  // Linux knows an open folder by a short name, too.
  const short = Buffer.byteLength(path) <= PATH_BYTES_MAX ? path : `/proc/self/fd/${fd}/${LOCK_NAME}`;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    try {
      return await listen(short);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    if (!found.isSocket()) throw new Error(`'${LOCK_NAME}' in it is not a lock of this program: remove it`);
    if (await answers(short)) break;
    await removeStale(path, found.ino);
  }
  throw new Error("another process uses it: give each process its own directory");
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
