// Builds the dashboard's page in dist/dashboard: static files, whose names have a digest of what they hold, and the page
// that names them. It is for browsers, and no program loads it.
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { build } from "esbuild";

const SOURCE = "src/web/dashboard";
const OUT = "dist/dashboard";
const PARTS = { script: "main.tsx", style: "style.css", icon: "icon.svg" };

/**
 * @param {string} version of the package
 * @returns {Promise<import("esbuild").Metafile>} what was built, the page included
 */
export async function buildDashboard(version) {
  const { metafile } = await build({
    entryPoints: Object.values(PARTS).map((name) => `${SOURCE}/${name}`),
    outdir: OUT,
    entryNames: "[name]-[hash]",
    bundle: true,
    platform: "browser",
    target: "es2022",
    format: "esm",
    loader: { ".svg": "copy" },
    minify: true,
    define: { __VERSION__: JSON.stringify(version) },
    tsconfig: `${SOURCE}/tsconfig.json`,
    preserveSymlinks: true,
    logLevel: "warning",
    metafile: true,
  });
  let page = await readFile(`${SOURCE}/index.html`, "utf8");
  for (const [part, source] of Object.entries(PARTS)) {
    const built = Object.entries(metafile.outputs).find(
      ([path, { inputs }]) => `${SOURCE}/${source}` in inputs && !path.endsWith(".map"),
    );
    if (built === undefined) throw new Error(`${source} was not built`);
    page = page.replace(`{{${part}}}`, basename(built[0]));
  }
  await writeFile(`${OUT}/index.html`, page);
  const html = { bytes: Buffer.byteLength(page), inputs: {}, imports: [], exports: [] };
  return { ...metafile, outputs: { ...metafile.outputs, [`${OUT}/index.html`]: html } };
}
