import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";

const run = promisify(execFile);

/** An empty folder until the test ends, into which the package is installed as published: packed, and nothing else. */
export async function installPacked(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "packed-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [packed, installed] = [join(folder, "packed"), join(folder, "installed")];
  await Promise.all([mkdir(packed), mkdir(installed)]);
  // Without scripts: the bundles are built, and other tests are using them.
  await run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", packed]);
  const [tarball = ""] = await readdir(packed);
  // Offline: there is nothing to fetch, for the package depends on no other.
  await run("npm", ["install", "--offline", "--silent", "--prefix", installed, join(packed, tarball)]);
  return installed;
}
