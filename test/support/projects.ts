import { existsSync } from "node:fs";
import { type SourceFile, sourceFiles } from "./source-tree.ts";

/**
 * Where a test file runs. `inside`: in a worker that it shares with other files, which have loaded most of what it
 * imports. `programs`: in a worker of its own.
 */
export interface Projects {
  readonly inside: readonly string[];
  readonly programs: readonly string[];
}

/** Files that run by themselves although they start no process, and why. */
export const BY_THEMSELVES: Readonly<Record<string, string>> = {};

/** What starts a process or a thread. */
const STARTERS: ReadonlySet<string> = new Set(["node:child_process", "node:worker_threads"]);

/**
 * The rule: a test file that can start a process, by whatever it imports, is one of `programs`, and so is one of
 * `BY_THEMSELVES`. All others are `inside`. Nothing has to be listed when a test file is added.
 */
export function projects(): Projects {
  const files = new Map(["src", "bench", "test"].flatMap(sourceFiles).map((file) => [file.path, file]));
  const tests = [...files.keys()].filter((path) => path.endsWith(".test.ts")).sort();
  const isProgram = (path: string) => Object.hasOwn(BY_THEMSELVES, path) || startsProcesses(path, files);
  return { inside: tests.filter((path) => !isProgram(path)), programs: tests.filter(isProgram) };
}

/** Whether the file or one that it imports can start a process. Types are nothing that runs. */
export function startsProcesses(path: string, files: ReadonlyMap<string, SourceFile>): boolean {
  const seen = new Set([path]);
  for (const each of seen) {
    const file = files.get(each);
    if (file === undefined) {
      if (each.endsWith(".ts") && !existsSync(each)) throw new Error(`${path} reaches ${each}, which does not exist`);
      continue;
    }
    if (file.values.packages.some((name) => STARTERS.has(name))) return true;
    for (const imported of file.values.imports) seen.add(imported);
  }
  return false;
}
