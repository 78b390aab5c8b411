import { readFileSync } from "node:fs";
import type { Metafile } from "esbuild";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { bundleSbom } from "../../packaging/sbom.mjs";
import { bundledPackages } from "../../packaging/third-party-licences.mjs";

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly object[];
  readonly properties?: readonly { readonly name: string }[];
}

const text = readFileSync("dist/sbom.cdx.json", "utf8");
const bill = JSON.parse(text);
const components: readonly Component[] = bill.components;
const metafile: Metafile = JSON.parse(readFileSync("dist/meta.json", "utf8"));
const bundled = await bundledPackages(metafile);

describe("dist/sbom.cdx.json", () => {
  test("is a CycloneDX bill of the product in its version", () => {
    expect(bill).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.5", version: 1 });
    expect(bill.metadata.component).toMatchObject({
      type: "application",
      name: manifest.name,
      version: manifest.version,
      purl: `pkg:npm/${manifest.name}@${manifest.version}`,
    });
  });

  test("lists the packages that the bundles carry, and nothing else that is installed", () => {
    const carried = [...new Set(bundled.map(({ name, version }) => `${name}@${version}`))];
    expect(carried.length).toBeGreaterThan(20);
    expect(components.map(({ "bom-ref": ref }) => ref).sort()).toEqual(carried.sort());
    for (const { name, version, purl } of components)
      expect(decodeURIComponent(purl)).toBe(`pkg:npm/${name}@${version}`);
  });

  test("has the licence and the hash of each, and calls none a development dependency", () => {
    for (const { name, hashes = [], licenses = [], properties = [] } of components) {
      expect([name, hashes.map(({ alg }) => alg), licenses.length > 0]).toEqual([name, ["SHA-512"], true]);
      expect(properties.filter((property) => /development/.test(property.name))).toEqual([]);
    }
  });

  test("says what depends on what, and names nothing that it does not list", () => {
    const refs = new Set(components.map(({ "bom-ref": ref }) => ref));
    const graph: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[] = bill.dependencies;
    expect(graph.map(({ ref }) => ref).sort()).toEqual([...refs, `${manifest.name}@${manifest.version}`].sort());
    for (const { dependsOn } of graph) expect(dependsOn.filter((ref) => !refs.has(ref))).toEqual([]);
    const own = graph.find(({ ref }) => ref === `${manifest.name}@${manifest.version}`);
    expect(own?.dependsOn).toEqual(expect.arrayContaining([`hono@${manifest.devDependencies.hono}`]));
  });

  test("is the same whenever it is made", async () => {
    expect(await bundleSbom(manifest.name, bundled)).toBe(text);
    expect(text).not.toMatch(/serialNumber|timestamp/);
  });

  test("cannot be made for a package that the lock file does not have", async () => {
    const stranger = { folder: "x", name: "stranger", version: "1.0.0", licence: "MIT", repository: "" };
    await expect(bundleSbom(manifest.name, [stranger])).rejects.toThrow(
      "bundled, but not in package-lock.json: stranger@1.0.0",
    );
  });
});
