import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe } from "vitest";

/** The folder that `test/conformance/install-node` fills. */
const FOLDER = process.env["CONFORMANCE_NODES"] ?? "";
const IS_REQUIRED = process.env["CONFORMANCE"] === "required";
/** npm starts slowly, the more so on a machine that runs all the other tests meanwhile. */
const TIMEOUT_MS = 120_000;

const PINNED = readFileSync(join(import.meta.dirname, "../node-versions.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split(" ")[0] ?? "");

/** A Node to run the product on: its version, and the folder with its binary. */
export interface Node {
  readonly version: string;
  readonly bin: string;
}

/**
 * The tests for each pinned Node and the one that runs them. A Node that is not there is skipped, which the run says at its
 * end, unless CONFORMANCE=required: then its tests fail.
 */
export function describeOnEveryNode(name: string, tests: (node: Node) => void): void {
  const current = { version: process.versions.node, bin: join(process.execPath, "..") };
  const pinned = PINNED.map((version) => ({ version, bin: join(FOLDER, version, "bin") }));
  for (const node of [current, ...pinned]) {
    const title = `${name} on Node ${node.version}`;
    const isMissing = node !== current && (FOLDER === "" || !existsSync(join(node.bin, "node")));
    const where = FOLDER === "" ? "CONFORMANCE_NODES names no folder" : `${node.bin} has no node`;
    describe.skipIf(isMissing && !IS_REQUIRED)(title, { timeout: TIMEOUT_MS }, () => {
      beforeEach(() => {
        if (isMissing) throw new Error(`CONFORMANCE=required, but ${where}`);
      });
      tests(node);
    });
  }
}
