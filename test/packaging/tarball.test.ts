import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };

test("the package has the programs, their licences and what people read, and nothing else", () => {
  const printed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts", "--silent"], {
    encoding: "utf8",
  });
  const [{ files }]: readonly [{ readonly files: readonly { readonly path: string }[] }] = JSON.parse(printed);
  const { outputs }: { readonly outputs: object } = JSON.parse(readFileSync("dist/meta.json", "utf8"));
  const chunks = Object.keys(outputs).filter((path) => path.startsWith("dist/cli/"));
  expect(chunks.length).toBeGreaterThan(10);
  expect(
    readdirSync("dist/cli")
      .map((name) => `dist/cli/${name}`)
      .sort(),
  ).toEqual(chunks.sort());
  const names = files.map(({ path }) => path);
  expect(names.filter((path) => path.startsWith("dist/cli/")).sort()).toEqual(chunks);
  expect(names.filter((path) => !path.startsWith("dist/cli/")).sort()).toEqual([
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "dist/THIRD-PARTY-LICENSES",
    "dist/cli.js",
    "dist/lambda.mjs",
    "dist/service.js",
    "package.json",
  ]);
});

test("the package asks for nothing else to be installed, and runs no script when it is", () => {
  const { scripts } = manifest;
  expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual(["devDependencies"]);
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
});

test("the program that npx starts says what runs it", () => {
  expect(readFileSync(manifest.bin["hasta-la-vista"], "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});
