import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

export interface SourceFile {
  /** From the project's root, with slashes: `src/drain/hold.ts`. */
  readonly path: string;
  readonly text: string;
  /** Paths of the project's files it imports. */
  readonly imports: readonly string[];
  /** Names of the packages it imports; Node's own modules with their `node:`. */
  readonly packages: readonly string[];
}

/** Static and dynamic imports and re-exports, types included. */
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s+"([^"]+)"/g;

const known = new Map<string, readonly SourceFile[]>();

/** Read once by each worker. */
export function sourceFiles(folder: string): readonly SourceFile[] {
  const files =
    known.get(folder) ??
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => read(join(folder, name).replaceAll("\\", "/")));
  known.set(folder, files);
  return files;
}

/** Each way on which a file imports itself: `a.ts -> b.ts -> a.ts`. Types count. */
export function importCircles(files: readonly SourceFile[]): readonly string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: SourceFile, trail: readonly string[]) => {
    if (trail.includes(file.path)) circles.push([...trail.slice(trail.indexOf(file.path)), file.path].join(" -> "));
    if (trail.includes(file.path) || done.has(file.path)) return;
    for (const imported of file.imports) {
      const next = byPath.get(imported);
      if (next !== undefined) visit(next, [...trail, file.path]);
    }
    done.add(file.path);
  };
  for (const file of files) visit(file, []);
  return circles;
}

function read(path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  const all = [...text.matchAll(IMPORT)].map(([, from, dynamic, bare]) => from ?? dynamic ?? bare ?? "");
  const own = all.filter((specifier) => specifier.startsWith("."));
  const foreign = all.filter((specifier) => !specifier.startsWith("."));
  return {
    path,
    text,
    imports: own.map((specifier) => posix.join(dirname(path), specifier)),
    packages: [...new Set(foreign.map(packageName))],
  };
}

function packageName(specifier: string): string {
  const [scope = "", name] = specifier.split("/");
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}
