import { readFileSync } from "node:fs";
import { sourceFiles } from "./source-tree.ts";

/**
 * Where a test file runs. `shared`: in a worker that it shares with other files, which have loaded most of what it
 * imports. `alone`: in a worker of its own.
 */
export interface Projects {
  readonly shared: readonly string[];
  readonly alone: readonly string[];
}

/** Files that no other may share a worker with, and why. */
export const ALONE: Readonly<Record<string, string>> = {};

/** Replaces a module for all that load it after that. In a shared worker they have it already. */
const REPLACES_MODULES = /\bvi\.(?:do)?[mM]ock\(/;

/**
 * The rule: a file that replaces modules is `alone`, and so is one of `ALONE`. All others are `shared`, and leave nothing
 * behind (`no-leftovers.ts`). Nothing has to be listed when a test file is added.
 */
export function projects(): Projects {
  const tests = sourceFiles("test")
    .map(({ path }) => path)
    .filter((path) => path.endsWith(".test.ts"))
    .sort();
  const isAlone = (path: string) => Object.hasOwn(ALONE, path) || replacesModules(readFileSync(path, "utf8"));
  return { shared: tests.filter((path) => !isAlone(path)), alone: tests.filter(isAlone) };
}

export function replacesModules(text: string): boolean {
  return REPLACES_MODULES.test(text);
}
