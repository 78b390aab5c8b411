import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const read = (file: string) => readFileSync(file, "utf8");

interface Row {
  readonly program: string;
  readonly versions: string;
  readonly provenBy: string;
}

/** The rows of all tables of the page. */
const ROWS: readonly Row[] = [...read("docs/compatibility.md").matchAll(/(?:^\|.*\n)+/gm)].flatMap(([table]) =>
  table
    .trimEnd()
    .split("\n")
    .slice(2)
    .map((row) => {
      const [program = "", versions = "", , provenBy = ""] = row
        .split(" | ")
        .map((cell) => cell.replace(/^\| | \|$/g, ""));
      return { program, versions, provenBy };
    }),
);

/** Where the versions that the tests run are pinned. */
const PINS = [
  ...["package.json", "test/conformance/requirements.txt", "test/conformance/node-versions.txt"],
  "test/conformance/install",
  "test/conformance/kubernetes/install",
  ...readdirSync("test/conformance/kubernetes/programs").map(
    (name) => `test/conformance/kubernetes/programs/${name}/go.mod`,
  ),
]
  .map(read)
  .join("\n");
const isPinned = (version: string) =>
  new RegExp(`(?<![\\d.])v?${version.replaceAll(".", "\\.")}(?!\\.?\\d)`).test(PINS);
/** Versions that no test runs, which their rows say. */
const NOT_RUN = /simulated|by hand/;

describe("docs/compatibility.md", () => {
  test("has rows with a program and versions", () => {
    expect(ROWS.length).toBeGreaterThan(15);
    expect(ROWS.filter(({ program, versions }) => program === "" || versions === "")).toEqual([]);
  });

  test.each(ROWS)("names tests that there are for $program, or says that it was not tested", ({ provenBy }) => {
    if (/^not tested/.test(provenBy)) return;
    const named = [...provenBy.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((file) => !/^test\/.*\.test\.ts$/.test(file) || !existsSync(file))).toEqual([]);
  });

  test.each(ROWS.filter(({ versions }) => !NOT_RUN.test(versions)))(
    "has the versions that the tests run of $program: $versions",
    ({ versions }) => {
      const named = [...versions.matchAll(/\d+(?:\.\d+)+/g)].map(([version]) => version);
      expect(named.filter((version) => !isPinned(version))).toEqual([]);
    },
  );

  test("has a row for each version of Node.js that the packed program is tried on", () => {
    const tried = read("test/conformance/node-versions.txt").matchAll(/^(\d+\.\d+\.\d+) /gm);
    const [row] = ROWS.filter(({ program }) => program === "Node.js");
    expect(row?.versions.split(", ")).toEqual([...tried].map(([, version]) => version));
  });
});
