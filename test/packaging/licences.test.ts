import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Metafile } from "esbuild";
import { describe, expect, onTestFinished, test } from "vitest";
import { bundledPackages, thirdPartyLicences } from "../../packaging/third-party-licences.mjs";

/** They ask for no more than their text to be passed on, and dist/THIRD-PARTY-LICENSES does that. */
const PASSED_ON = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"];
/** What also may be used to build and test, and is given to nobody. */
const USED_ONLY = [...PASSED_ON, "MPL-2.0", "Python-2.0", "Unlicense", "Zlib"];

const bundled = await bundledPackages(JSON.parse(readFileSync("dist/meta.json", "utf8")));

interface Component {
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly {
    readonly expression?: string;
    readonly license?: { readonly id?: string; readonly name?: string };
  }[];
}

/** `name version: licence` of everything that is installed. */
function bom(): ReadonlyMap<string, string> {
  const printed = execFileSync("npm", ["sbom", "--sbom-format", "cyclonedx"], {
    encoding: "utf8",
    maxBuffer: 64_000_000,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { components }: { readonly components: readonly Component[] } = JSON.parse(printed);
  return new Map(
    components.map(({ name, version, licenses = [] }) => {
      const licence = licenses.map((given) => given.expression ?? given.license?.id ?? given.license?.name ?? "none");
      return [`${name} ${version}`, licence.join(" AND ") || "none"];
    }),
  );
}

/** SPDX's OR is our choice, its AND is not. Anything more intricate is for a human to read. */
function isAllowed(expression: string, licences: readonly string[]): boolean {
  const plain = expression.replace(/^\(([^()]*)\)$/, "$1");
  return plain.split(" OR ").some((choice) => choice.split(" AND ").every((licence) => licences.includes(licence)));
}

describe("the licences", () => {
  test.each([
    ["MIT", true],
    ["GPL-3.0-only", false],
    ["none", false],
    ["(MIT OR GPL-3.0-only)", true],
    ["(MIT AND GPL-3.0-only)", false],
    ["(MIT AND ISC)", true],
    ["((MIT OR GPL-3.0-only) AND AGPL-3.0-only)", false],
  ])("that a package offers as %s are understood", (expression, allowed) => {
    expect(isAllowed(expression, PASSED_ON)).toBe(allowed);
  });

  const installed = bom();

  test("of everything that is installed are on a list", () => {
    const components = [...installed];
    expect(components.length).toBeGreaterThan(100);
    expect(components.filter(([, licence]) => !isAllowed(licence, USED_ONLY))).toEqual([]);
  });

  test("of everything that is bundled allow it to be passed on", () => {
    expect(bundled.length).toBeGreaterThan(20);
    const named = bundled.map(({ name, version }) => `${name} ${version}`);
    expect(named.filter((name) => !isAllowed(installed.get(name) ?? "not installed", PASSED_ON))).toEqual([]);
  });
});

describe("dist/THIRD-PARTY-LICENSES", () => {
  const published = readFileSync("dist/THIRD-PARTY-LICENSES", "utf8");
  /** By the package's title: the text that stands under it. */
  const texts = new Map(
    published
      .split(`${"=".repeat(80)}\n`)
      .slice(1)
      .map((part) => part.split("\n\n"))
      .flatMap(([titles = "", ...text]) => titles.split("\n").map((title) => [title, text.join("\n\n")] as const)),
  );

  test("names every bundled package, and nothing else", () => {
    const titles = bundled.map(({ name, version, licence }) => `${name} ${version} (${licence})`);
    expect([...texts.keys()].sort()).toEqual([...new Set(titles)].sort());
  });

  test("has the licence of each, whole", () => {
    const sign = { MIT: /permission is hereby granted/i, ISC: /permission to use, copy, modify/i };
    for (const { name, version, licence } of bundled) {
      const text = texts.get(`${name} ${version} (${licence})`) ?? "";
      const expected =
        licence in sign ? sign[licence as keyof typeof sign] : /END OF TERMS AND CONDITIONS|redistribution/i;
      expect({ name, isWhole: expected.test(text) }).toEqual({ name, isWhole: true });
    }
  });
});

describe("the build", () => {
  /** Packages on a disk, all of them bundled. */
  function packages(given: Readonly<Record<string, Readonly<Record<string, string>>>>) {
    const root = mkdtempSync(join(tmpdir(), "bundled-"));
    onTestFinished(() => rmSync(root, { recursive: true }));
    for (const [name, files] of Object.entries(given)) {
      for (const [file, text] of Object.entries(files)) {
        const path = join(root, "node_modules", name, file);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
    }
    const inputs = Object.fromEntries(Object.keys(given).map((name) => [`node_modules/${name}/index.js`, {}]));
    return { root, metafile: { outputs: { "dist/x.js": { inputs } } } as unknown as Metafile };
  }

  const manifest = (name: string, more: object = {}) =>
    JSON.stringify({ name, version: "1.2.3", license: "MIT", repository: { url: "git://one" }, ...more });

  test("passes on every text that a package ships, notices too, and gives one text once", async () => {
    const { root, metafile } = packages({
      a: { "package.json": manifest("a"), "licence.md": "Same.\r\n" },
      "@b/c": { "package.json": manifest("@b/c"), LICENSE: "Same.\n" },
      d: {
        "package.json": manifest("d"),
        "LICENSE-MIT.txt": "Other.",
        NOTICE: "By somebody.",
        "license-check.js": "Code.",
      },
    });
    const text = await thirdPartyLicences(metafile, root);
    expect(text.match(/Same\./g)).toHaveLength(1);
    expect(text).toContain("@b/c 1.2.3 (MIT)\na 1.2.3 (MIT)\n\nSame.\n");
    expect(text).toContain("d 1.2.3 (MIT)\n\nOther.\n\nBy somebody.\n");
    expect(text).not.toContain("Code.");
  });

  test("fails for a package without a licence text, and names it", async () => {
    const { root, metafile } = packages({ lonely: { "package.json": manifest("lonely"), "README.md": "MIT" } });
    await expect(thirdPartyLicences(metafile, root)).rejects.toThrow(/^lonely 1\.2\.3 is bundled and ships no licence/);
  });

  test("fails for a package that names no licence", async () => {
    const { root, metafile } = packages({ vague: { "package.json": manifest("vague", { license: undefined }) } });
    await expect(thirdPartyLicences(metafile, root)).rejects.toThrow(/^vague 1\.2\.3 .* names no licence/);
  });

  test("takes the text of an agreed package of the same repository and licence alone", async () => {
    const lender = "@aws-sdk/credential-provider-node";
    const borrower = "@aws-sdk/nested-clients";
    const scene = (more: object) =>
      packages({
        [lender]: { "package.json": manifest(lender), LICENSE: "The text." },
        [borrower]: { "package.json": manifest(borrower, more) },
      });
    const same = scene({});
    const text = await thirdPartyLicences(same.metafile, same.root);
    expect(text).toContain(`${lender} 1.2.3 (MIT)\n${borrower} 1.2.3 (MIT)\n\nThe text.`);
    for (const more of [{ license: "ISC" }, { repository: { url: "git://two" } }]) {
      const other = scene(more);
      await expect(thirdPartyLicences(other.metafile, other.root)).rejects.toThrow(/^@aws-sdk\/nested-clients/);
    }
  });
});
