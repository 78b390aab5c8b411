import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import { runCli } from "./child-process.ts";
import type { Environment, Finished } from "./program-run.ts";

export interface Loaded extends Finished {
  /** The files of the bundle that this run has loaded, from the project's root. */
  readonly files: readonly string[];
  /** Their size. */
  readonly bytes: number;
  /** What they were bundled from, from the project's root. */
  readonly inputs: readonly string[];
  /** Node's own modules that they load at once. */
  readonly builtins: readonly string[];
}

interface Output {
  readonly inputs: object;
  readonly imports: readonly { readonly path: string; readonly kind: string }[];
}

/** Runs the bundled command line, and tells which of its files Node has loaded for that. */
export async function loadedBy(args: readonly string[], environment: Environment = {}): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), "loaded-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [hooks, start, list] = ["hooks.mjs", "start.mjs", "list"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(list, "");
  // https://nodejs.org/docs/latest-v20.x/api/module.html#customization-hooks
  writeFileSync(
    hooks,
    `import { appendFileSync } from "node:fs";
     export async function load(url, context, next) {
       appendFileSync(${JSON.stringify(list)}, url + "\\n");
       return next(url, context);
     }`,
  );
  writeFileSync(
    start,
    `import { register } from "node:module"; register(${JSON.stringify(pathToFileURL(hooks).href)});`,
  );
  const finished = await runCli(args, { ...environment, NODE_OPTIONS: `--import=${pathToFileURL(start).href}` });
  const urls = readFileSync(list, "utf8").split("\n");
  const files = urls
    .filter((url) => url.startsWith("file:"))
    .map((url) => relative(".", fileURLToPath(url)))
    .filter((file) => file.startsWith("dist/"));
  const { outputs } = JSON.parse(readFileSync("dist/meta.json", "utf8")) as {
    readonly outputs: Readonly<Record<string, Output>>;
  };
  const imports = files.flatMap((file) => outputs[file]?.imports ?? []);
  return {
    ...finished,
    files,
    bytes: files.reduce((sum, file) => sum + statSync(file).size, 0),
    inputs: files.flatMap((file) => Object.keys(outputs[file]?.inputs ?? {})),
    builtins: imports.filter(({ kind }) => kind !== "dynamic-import").map(({ path }) => path.replace("node:", "")),
  };
}
