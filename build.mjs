// Bundles the command line, the service and the Lambda function in dist/, with the licences of what they carry. The
// command line is a small program and the chunks that its verbs load; the others are one file each.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { thirdPartyLicences } from "./packaging/third-party-licences.mjs";

const { version } = JSON.parse(await readFile(new URL("package.json", import.meta.url), "utf8"));

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
 * Of the Kubernetes client its reader of kubeconfigs is used, without the generated API and the HTTP client of its own,
 * which would be two thirds of it.
 *
 * @type {import("esbuild").Plugin}
 */
const kubeconfigAlone = {
  name: "kubeconfig-alone",
  setup({ onResolve, onLoad }) {
    const unused = "unused-by-kubeconfig";
    onResolve({ filter: /^@kubernetes\/client-node$/ }, ({ resolveDir }) => ({
      path: "kubeconfig",
      namespace: unused,
      pluginData: resolveDir,
    }));
    onResolve({ filter: /^(node-fetch|\.\/gen\/index\.js)$/ }, ({ path, importer }) =>
      /@kubernetes[\\/]client-node[\\/]dist[\\/](config|log)\.js$/.test(importer)
        ? { path, namespace: unused }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: unused }, ({ path, pluginData: resolveDir }) => {
      const dist = "@kubernetes/client-node/dist";
      if (path === "kubeconfig") {
        const contents = `export { KubeConfig } from "${dist}/config.js"; export { loadYaml } from "${dist}/yaml.js";`;
        return { contents, resolveDir };
      }
      const refuses = (/** @type {string} */ name) =>
        `export function ${name}() { throw new Error("${name} is not part of this program"); }`;
      const contents =
        path === "node-fetch"
          ? "export const Headers = globalThis.Headers;"
          : ["createConfiguration", "ServerConfiguration"].map(refuses).join("\n");
      return { contents };
    });
  },
};

/** @type {import("esbuild").BuildOptions} */
const options = {
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  mainFields: ["module", "main"],
  minify: true,
  keepNames: true,
  define: { __VERSION__: JSON.stringify(version) },
  banner: { js: banner },
  plugins: [dropUnusedSchemas, kubeconfigAlone],
  // Chunks are named for what is in them, by its path: the same name wherever node_modules is linked to.
  preserveSymlinks: true,
  logLevel: "warning",
  metafile: true,
};

// Most of what there is, a run never needs: `policy` and `--help` load a twentieth of it.
const commandLine = await build({
  ...options,
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
  // They would be a twentieth of it, and nothing but stacks has them.
  keepNames: false,
  // Lambda takes a file for a module by its name alone.
  outExtension: { ".js": ".mjs" },
  plugins: [dropUnusedSchemas, credentialsFromEnvironment],
});
const metafiles = [commandLine, service, handlers].map(({ metafile }) => metafile);
const metafile = {
  inputs: Object.assign({}, ...metafiles.map((one) => one?.inputs)),
  outputs: Object.assign({}, ...metafiles.map((one) => one?.outputs)),
};

// An earlier build's chunks have other names, and would be published too.
for (const folder of ["dist/cli", "dist/service"]) {
  for (const name of await readdir(folder)) {
    if (!(`${folder}/${name}` in metafile.outputs)) await rm(join(folder, name));
  }
}

// What went into the bundles, and how much of it; it is not published.
await writeFile("dist/meta.json", JSON.stringify(metafile));
await writeFile("dist/THIRD-PARTY-LICENSES", await thirdPartyLicences(metafile));
