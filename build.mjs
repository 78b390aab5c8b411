// Bundles the command line, the service, the Lambda function and the dashboard in dist/, with the licences and the bill of materials of
// what they carry, and how they were built. The command line and the service are small programs and the chunks that they load, the function is one
// file.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { buildDashboard } from "./packaging/dashboard.mjs";
import { KUBECONFIG_ALONE } from "./packaging/kubeconfig-alone.mjs";
import { provenance, sourceOf } from "./packaging/provenance.mjs";
import { bundleSbom } from "./packaging/sbom.mjs";
import { bundledPackages, thirdPartyLicences } from "./packaging/third-party-licences.mjs";

// esbuild is given up after seconds: collecting its garbage seldom takes a fifth less of them.
process.env.GOGC ??= "800";

const manifest = JSON.parse(await readFile(new URL("package.json", import.meta.url), "utf8"));
const { name, version } = manifest;

/**
 * The SDK keeps the schema of every operation in arrays that esbuild can't prove free of side effects, so it would
 * keep all of them. Wrapped as pure calls, those of operations we never use are dropped.
 * https://github.com/aws/aws-sdk-js-v3/issues/7607
 *
 * @type {import("esbuild").Plugin}
 */
const dropUnusedSchemas = {
  name: "drop-unused-sdk-schemas",
  setup({ onLoad }) {
    onLoad({ filter: /@aws-sdk[\\/].*dist-es[\\/]schemas[\\/]schemas_.*\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replace(
        /^((?:export )?(?:var|const|let) [\w$]+ = )(\[[\s\S]*?\n?\]);$/gm,
        "$1/* @__PURE__ */ (() => ($2))();",
      );
      return { contents, loader: "js" };
    });
  },
};

const banner = [
  // The bundle carries an SDK that supports this Node; the SDK's advice about its later releases is not for users.
  'process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";',
  // Some dependencies are CommonJS and call require.
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
].join("\n");

/**
 * A function has its credentials in its environment, always. The SDK's search through files, containers and single
 * sign-on would be a fifth of what Lambda has to load.
 *
 * @type {import("esbuild").Plugin}
 */
const credentialsFromEnvironment = {
  name: "credentials-from-environment",
  setup({ onLoad }) {
    onLoad({ filter: /@aws-sdk[\\/]credential-provider-node[\\/]dist-es[\\/]index\.js$/ }, ({ path }) => ({
      contents: 'export { fromEnv as defaultProvider } from "@aws-sdk/credential-provider-env";',
      resolveDir: dirname(path),
    }));
  },
};

/**
 * A function looks after one account and region: its configuration refuses AWS_PLACES before it would be read.
 *
 * @type {import("esbuild").Plugin}
 */
const onePlace = {
  name: "one-place",
  setup({ onLoad }) {
    const contents = 'export const PLACES_RANGE = ""; export function awsPlaces() {}';
    onLoad({ filter: /[\\/]src[\\/]aws[\\/]places\.ts$/ }, () => ({ contents }));
  },
};

/**
 * What traces need is a file beside the function's, which a function without a collector never loads. It is whole by itself,
 * so that the function stays one file.
 *
 * @type {import("esbuild").Plugin}
 */
const tracingBeside = {
  name: "tracing-beside",
  setup({ onResolve }) {
    onResolve({ filter: /[\\/]observe[\\/]tracing\.ts$/ }, ({ kind }) =>
      kind === "dynamic-import" ? { path: "./lambda-tracing.mjs", external: true } : undefined,
    );
  },
};

/** @type {import("esbuild").Plugin} */
const kubeconfigAlone = {
  name: "kubeconfig-alone",
  setup({ onLoad }) {
    for (const [filter, contents] of KUBECONFIG_ALONE) {
      onLoad({ filter }, ({ path }) => ({ contents, resolveDir: dirname(path) }));
    }
  },
};

/**
 * What two libraries prepare when they are loaded and most runs never use: means to start programs, of verbs that are programs
 * by themselves, and tables of Unicode for texts that are not ASCII. Each is a tenth of what the start of a verb costs.
 *
 * @type {import("esbuild").Plugin}
 */
const preparedLate = {
  name: "prepared-late",
  setup({ onLoad }) {
    const replaced = /** @type {const} */ ([
      [/[\\/]commander[\\/]lib[\\/]command\.js$/, "const childProcess = require('node:child_process');", ""],
      [
        /[\\/]string-width[\\/]index\.js$/,
        "const segmenter = new Intl.Segmenter();",
        "let made; const segmenter = { segment: (text) => (made ??= new Intl.Segmenter()).segment(text) };",
      ],
    ]);
    for (const [filter, before, after] of replaced) {
      onLoad({ filter }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        if (!source.includes(before)) throw new Error(`${path} does not contain ${before}`);
        return { contents: source.replace(before, after), resolveDir: dirname(path) };
      });
    }
  },
};

/** What our files load late, as paths. */
async function lateFiles() {
  const found = [];
  for (const folder of ["src/app", "src/cli"]) {
    for (const name of await readdir(folder)) {
      if (!name.endsWith(".ts")) continue;
      const source = await readFile(join(folder, name), "utf8");
      for (const [, path = ""] of source.matchAll(/\bimport\("(\.[^"]+)"\)/g)) found.push(resolve(folder, path));
    }
  }
  return new Set(found);
}

/** What the SDK loads late: each way to credentials, and how streams are read. */
const LATE_OF_THE_SDK =
  /[\\/](credential-provider-(env|http|imds|ini|login|process|sso|web-identity)[\\/]dist-es[\\/](index|loadSso)|nested-clients[\\/]dist-es[\\/]submodules[\\/][a-z-]+[\\/]index|submodules[\\/]event-streams[\\/]index)\.js$/;

/**
 * A chunk is what the same entry points reach, and each late import is one: what all verbs need would come in a dozen
 * chunks, and Node takes a millisecond for each. So a file that is loaded late imports what has been loaded before it,
 * which is one chunk then: the command line itself, and for the SDK's ways to credentials the engine.
 *
 * @type {(late: ReadonlySet<string>) => import("esbuild").Plugin}
 */
const oneChunkALayer = (late) => ({
  name: "one-chunk-a-layer",
  setup({ onLoad }) {
    /** @type {(path: string, layer: string) => Promise<import("esbuild").OnLoadResult>} */
    const upon = async (path, layer) => {
      const source = await readFile(path, "utf8");
      const contents = `${source}\nimport ${JSON.stringify(resolve(layer))};\n`;
      return { contents, loader: path.endsWith(".ts") ? "ts" : "js", resolveDir: dirname(path) };
    };
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) =>
      late.has(path) ? upon(path, "src/cli/run.ts") : undefined,
    );
    onLoad({ filter: LATE_OF_THE_SDK }, ({ path }) => upon(path, "src/app/engine.ts"));
  },
});

/**
 * The names of functions are not kept: nothing but stacks has them, they would be a twentieth of the function, and each closure
 * that is made at run time would be given its own again.
 *
 * @type {import("esbuild").BuildOptions}
 */
const options = {
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  mainFields: ["module", "main"],
  minify: true,
  define: { __VERSION__: JSON.stringify(version), __DASHBOARD__: '"../dashboard/"' },
  banner: { js: banner },
  plugins: [dropUnusedSchemas, kubeconfigAlone, preparedLate],
  // Chunks are named for what is in them, by its path: the same name wherever node_modules is linked to.
  preserveSymlinks: true,
  logLevel: "warning",
  metafile: true,
};

// Most of what there is, a run never needs: `policy` and `--help` load a twentieth of it.
const commandLine = await build({
  ...options,
  plugins: [oneChunkALayer(await lateFiles()), dropUnusedSchemas, kubeconfigAlone, preparedLate],
  entryPoints: { cli: "src/cli/main.ts" },
  splitting: true,
  chunkNames: "cli/[name]-[hash]",
});
// What Kubernetes needs is a chunk of its own: a service without KUBERNETES does not load it.
const service = await build({
  ...options,
  entryPoints: { service: "src/cli/service-main.ts" },
  splitting: true,
  chunkNames: "service/[name]-[hash]",
});
const handlers = await build({
  ...options,
  entryPoints: { lambda: "src/lambda/main.ts" },
  // Lambda takes a file for a module by its name alone.
  outExtension: { ".js": ".mjs" },
  plugins: [dropUnusedSchemas, credentialsFromEnvironment, onePlace, tracingBeside],
});
const tracing = await build({
  ...options,
  entryPoints: { "lambda-tracing": "src/observe/tracing.ts" },
  outExtension: { ".js": ".mjs" },
});
const dashboard = await buildDashboard(version);
const metafiles = [...[commandLine, service, handlers, tracing].map(({ metafile }) => metafile), dashboard];
const metafile = {
  inputs: Object.assign({}, ...metafiles.map((one) => one?.inputs)),
  outputs: Object.assign({}, ...metafiles.map((one) => one?.outputs)),
};

// An earlier build's chunks have other names, and would be published too.
for (const folder of ["dist/cli", "dist/dashboard", "dist/service"]) {
  for (const name of await readdir(folder)) {
    if (!(`${folder}/${name}` in metafile.outputs)) await rm(join(folder, name));
  }
}

// What went into the bundles, and how much of it; it is not published.
await writeFile("dist/meta.json", JSON.stringify(metafile));
await writeFile("dist/THIRD-PARTY-LICENSES", await thirdPartyLicences(metafile));
await writeFile("dist/sbom.cdx.json", await bundleSbom(name, await bundledPackages(metafile)));

// All that is published, except for itself.
const built = [...Object.keys(metafile.outputs), "dist/THIRD-PARTY-LICENSES", "dist/sbom.cdx.json"];
const files = await Promise.all(built.map(async (path) => ({ name: path, content: await readFile(path) })));
const [source, lock] = await Promise.all([sourceOf("."), readFile("package-lock.json")]);
const { node } = process.versions;
await writeFile("dist/provenance.json", provenance({ manifest, source, lock, node, files }));
