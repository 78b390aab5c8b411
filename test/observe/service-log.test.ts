import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { createLog } from "../../src/observe/service-log.ts";

/** How long a busy machine may take, in milliseconds. */
const WITHIN = { timeout: 60_000 };

const folder = fs.mkdtempSync(join(tmpdir(), "service-log-"));
const exitListeners = process.listeners("exit");

afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(folder, { recursive: true, force: true });
  // The library writes what is left when the process exits; here the file is gone by then.
  for (const listener of process.listeners("exit").filter((added) => !exitListeners.includes(added)))
    process.removeListener("exit", listener);
});

test("a line that is logged while others are being written goes out when they have been, without another line", async () => {
  const path = join(folder, "log");
  const fd = fs.openSync(path, "w");
  const writes: (() => void)[] = [];
  const write = fs.write;
  vi.spyOn(fs, "write").mockImplementation(((...call: Parameters<typeof write>) => {
    writes.push(() => write(...call));
  }) as typeof write);
  const log = createLog("info", { write: () => {}, fd }, () => 0);
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  log("listening", { host: "127.0.0.1", port: 8080, discovery: "vpc", dryRun: false });
  await turn();
  expect(writes).toHaveLength(1);
  log("eviction gate listening", { host: "127.0.0.1", port: 8443 });
  await turn();
  await turn();
  expect(writes).toHaveLength(1);

  writes[0]?.();
  await vi.waitFor(() => expect(writes).toHaveLength(2), WITHIN);
  writes[1]?.();
  await vi.waitFor(() => expect(fs.readFileSync(path, "utf8").trim().split("\n")).toHaveLength(2), WITHIN);
  fs.closeSync(fd);
});
