import * as fs from "node:fs/promises";
import type { Files, Handle } from "../../src/ledger/ledger-file.ts";
import type { VirtualClock } from "../../src/simulator/clock.ts";

/** The real file system, for which virtual time waits. */
export function virtualDisk(clock: VirtualClock): Files {
  const wait = <T>(work: Promise<T>) => clock.outside(work);
  return {
    async open(path, flags, mode) {
      const handle = await wait(fs.open(path, flags, mode));
      const held: Pick<Handle, "datasync" | "truncate" | "sync" | "close"> = {
        datasync: () => wait(handle.datasync()),
        truncate: (length) => wait(handle.truncate(length)),
        sync: () => wait(handle.sync()),
        close: () => wait(handle.close()),
      };
      return {
        ...held,
        read: (...args: Parameters<typeof handle.read>) => wait(handle.read(...args)),
        write: (...args: Parameters<typeof handle.write>) => wait(handle.write(...args)),
        stat: () => wait(handle.stat()),
        // Node's overloads are more than is used of them.
      } as unknown as Handle;
    },
    stat: (path) => wait(fs.stat(path)),
    rename: (from, to) => wait(fs.rename(from, to)),
    rm: (path, options) => wait(fs.rm(path, options)),
    copyFile: (from, to, mode) => wait(fs.copyFile(from, to, mode)),
  };
}
