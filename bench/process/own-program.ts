import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { buildSync } from "esbuild";

const OUT = "dist/bench";
const REQUIRE = `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`;
const built = new Map<string, string>();

/**
 * The path of a program of the bench that runs in a process of its own. `program`: its path from the file with the URL
 * `from`, without its extension. `npm run bench` has bundled both. From the sources, it is bundled at its first start: a
 * loader of TypeScript would take half a second of CPU at each.
 */
export function ownProgram(program: string, from: string): string {
  const extension = extname(fileURLToPath(from));
  const path = fileURLToPath(new URL(`${program}${extension}`, from));
  return extension === ".ts" ? (built.get(path) ?? bundle(path)) : path;
}

function bundle(path: string): string {
  // Not imported: a bundled bench has none, and needs none.
  const esbuild = createRequire(import.meta.url)("esbuild") as { readonly buildSync: typeof buildSync };
  const { outputFiles } = esbuild.buildSync({
    entryPoints: [path],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "esm",
    mainFields: ["module", "main"],
    banner: { js: REQUIRE },
    logLevel: "warning",
  });
  const out = join(OUT, `${basename(dirname(path))}-${basename(path, ".ts")}.mjs`);
  // Whole or not at all, for other processes that start it meanwhile.
  const unfinished = `${out}.${process.pid}`;
  mkdirSync(OUT, { recursive: true });
  writeFileSync(unfinished, outputFiles[0]?.contents ?? "");
  renameSync(unfinished, out);
  built.set(path, out);
  return out;
}
