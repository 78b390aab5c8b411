import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/**
 * Where the build has put the files, beside the bundle's chunks. When run from the sources: where the last build has
 * put them.
 */
declare const __DASHBOARD__: string | undefined;
const FOLDER = typeof __DASHBOARD__ === "string" ? __DASHBOARD__ : "../../dist/dashboard/";

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

const gzipped = promisify(gzip);

export interface DashboardFile {
  readonly type: string;
  readonly content: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
}

/** The built files of the dashboard by their names: some dozen kilobytes. Throws the error of the file system. */
export async function readDashboard(): Promise<ReadonlyMap<string, DashboardFile>> {
  const folder = new URL(FOLDER, import.meta.url);
  const names = await readdir(folder);
  const files = names.flatMap((name) => {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    return type === undefined ? [] : [{ name, type }];
  });
  return new Map(
    await Promise.all(
      files.map(async ({ name, type }) => {
        const content = new Uint8Array(await readFile(new URL(name, folder)));
        return [name, { type, content, gzipped: new Uint8Array(await gzipped(content)) }] as const;
      }),
    ),
  );
}
