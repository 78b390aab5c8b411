// Bundles the command line and the service into one file each, in dist/, with the licences of what they carry.
import { readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
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
  plugins: [dropUnusedSchemas],
  logLevel: "warning",
  metafile: true,
};

const programs = await build({
  ...options,
  entryPoints: { cli: "src/cli/main.ts", service: "src/cli/service-main.ts" },
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
const metafile = {
  inputs: { ...programs.metafile?.inputs, ...handlers.metafile?.inputs },
  outputs: { ...programs.metafile?.outputs, ...handlers.metafile?.outputs },
};

// What went into the bundles, and how much of it; it is not published.
await writeFile("dist/meta.json", JSON.stringify(metafile));
await writeFile("dist/THIRD-PARTY-LICENSES", await thirdPartyLicences(metafile));
