import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { filesBelow, linksOf } from "../support/documents.ts";

const PROGRAMS = [
  ...["dist/THIRD-PARTY-LICENSES", "dist/provenance.json", "dist/sbom.cdx.json"],
  ...["dist/cli.js", "dist/lambda-tracing.mjs", "dist/lambda.mjs", "dist/service.js"],
];
const TEXTS = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "package.json"];
/** What commands and pages name. */
const FOLDERS = [
  ...["deploy/cloudformation", "deploy/grafana", "deploy/helm", "deploy/iam", "deploy/kustomize"],
  ...["deploy/prometheus", "deploy/terraform"],
  "docs",
];

/** What `npm pack` would put into the tarball. */
const packed: readonly string[] = (() => {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts", "--silent"];
  const [{ files }]: readonly [{ readonly files: readonly { readonly path: string }[] }] = JSON.parse(
    execFileSync("npm", args, { encoding: "utf8" }),
  );
  return files.map(({ path }) => path).sort();
})();

test("the package has the programs, their licences, the documents and what these name, and nothing else", () => {
  const { outputs }: { readonly outputs: object } = JSON.parse(readFileSync("dist/meta.json", "utf8"));
  const chunks = Object.keys(outputs).filter((path) => /^dist\/(cli|dashboard|service)\//.test(path));
  expect(chunks.length).toBeGreaterThan(10);
  const built = ["dist/cli", "dist/dashboard", "dist/service"].flatMap((folder) =>
    readdirSync(folder).map((name) => `${folder}/${name}`),
  );
  expect(built.sort()).toEqual([...chunks].sort());
  expect(packed).toEqual([...PROGRAMS, ...chunks, ...TEXTS, ...FOLDERS.flatMap(filesBelow)].sort());
});

test("the package has every file that its documents name in a command", () => {
  const documents = packed.filter((file) => file.endsWith(".md"));
  const named = documents.flatMap((document) =>
    [...readFileSync(document, "utf8").matchAll(/\b(?:deploy|docs)\/[\w./-]*\w\.(?:yaml|json|tf|md|svg)\b/g)].map(
      ([file]) => normalize(file),
    ),
  );
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter((file) => !packed.includes(file))).toEqual([]);
  const links = linksOf("README.md").map(({ path }) => path);
  const sources = ["ARCHITECTURE.md", "CONTRIBUTING.md", "decisions/README.md"];
  expect(links.filter((path) => !packed.includes(path) && !sources.includes(path))).toEqual([]);
});

test("the package asks for nothing else to be installed, and runs no script when it is", () => {
  const { scripts } = manifest;
  expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual(["devDependencies"]);
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
});

test("the program starts by its own name once its tarball is installed for all, and has the scenarios beside it", () => {
  const folder = mkdtempSync(join(tmpdir(), "global-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // Without scripts: the bundles are built, and other tests are using them.
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder]);
  const tarball = join(folder, `hasta-la-vista-${manifest.version}.tgz`);
  // Offline: there is nothing to fetch, for the package depends on no other.
  execFileSync("npm", ["install", "--offline", "--silent", "--global", "--prefix", folder, tarball]);
  const printed = execFileSync(join(folder, "bin/hasta-la-vista"), ["--version"], { encoding: "utf8" });
  expect(printed).toBe(`${manifest.version}\n`);
  const installed = join(folder, "lib/node_modules/hasta-la-vista");
  expect(existsSync(join(installed, "docs/scenarios/quick.yaml"))).toBe(true);
  expect(readFileSync(manifest.bin["hasta-la-vista"], "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});

test("the package names one place for its source, its issues and its page", () => {
  const place = "github.com/hasta-la-vista/hasta-la-vista";
  expect(manifest.repository.url).toBe(`git+https://${place}.git`);
  expect(manifest.bugs.url).toBe(`https://${place}/issues`);
  expect(manifest.homepage).toBe(`https://${place}#readme`);
});
