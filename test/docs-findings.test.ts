import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";

const FOLDER = "findings";
const SCRIPTS = readdirSync(FOLDER).filter((name) => name !== "README.md");
/** A package with its exact version, as npm and pip take it. */
const PINNED = /^'?(?:@[\w.-]+\/)?[\w.-]+(?:\[\w+\])?(?:@|==)(\d+\.\d+\.\d+)'?$/;

/** The comment at the top, without its line breaks. */
function headerOf(script: string): string {
  const [header = ""] = /^(?:#.*\n)+/.exec(script) ?? [];
  return header.replaceAll(/\n#\s+/g, " ");
}

/** What the script's calls of npm and pip install. */
function installedBy(script: string): readonly string[] {
  const calls = script.replaceAll("\\\n", " ").matchAll(/^(?:npm|\S+ -m pip) install (.+)$/gm);
  return [...calls].flatMap(([, words = ""]) => words.split(/\s+/).filter((word) => !word.startsWith("--")));
}

test("findings/README.md has a row for each finding, and no other", () => {
  const rows = [...readFileSync(`${FOLDER}/README.md`, "utf8").matchAll(/^\| \[(.+?)\]\((.+?)\) \|/gm)];
  expect(rows.map(([, text]) => text)).toEqual(rows.map(([, , link]) => link));
  expect(rows.map(([, , link]) => link)).toEqual([...SCRIPTS].sort());
  expect(rows.length).toBeGreaterThan(5);
});

describe.each(SCRIPTS)("findings/%s", (name) => {
  const file = `${FOLDER}/${name}`;
  const script = readFileSync(file, "utf8");

  test("can be run, stops at its first error, and removes its folder", () => {
    expect(name).toMatch(/^[a-z0-9-]+\.sh$/);
    expect(statSync(file).mode & 0o111).toBe(0o111);
    expect(script).toMatch(/^#!\/usr\/bin\/env bash\n/);
    const begin = 'set -euo pipefail\nfolder=$(mktemp -d)\ntrap \'rm -rf "$folder"\' EXIT\ncd "$folder"\n';
    expect(script).toContain(`\n${begin}`);
    execFileSync("bash", ["-n", file]);
  });

  test("gives the expected and the observed behaviour, versions and date, why it matters and what it needs", () => {
    const header = headerOf(script);
    const order = ["Expected", "Observed:", "Seen with:", "Why it matters:", "Needs:"].map((part) =>
      header.indexOf(part),
    );
    expect(order.filter((at) => at < 0)).toEqual([]);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(header).toMatch(/Seen with: .+ on \d{4}-\d\d-\d\d\./);
  });

  test("installs exact versions, which its comment and the table name", () => {
    const installed = installedBy(script);
    expect(installed.length).toBeGreaterThan(0);
    expect(installed.filter((word) => !PINNED.test(word))).toEqual([]);
    const versions = installed.map((word) => PINNED.exec(word)?.[1] ?? word);
    expect(versions.filter((version) => !headerOf(script).includes(version))).toEqual([]);
    const [row = ""] = new RegExp(`^\\| \\[${name}\\].*$`, "m").exec(readFileSync(`${FOLDER}/README.md`, "utf8")) ?? [];
    const named = [...row.matchAll(/` (\d+\.\d+\.\d+)/g)].map(([, version]) => version ?? "");
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((version) => !versions.includes(version))).toEqual([]);
  });

  test("talks to 127.0.0.1 only, and names no registry, no folder of a machine and nothing of ours", () => {
    const hosts = [...script.matchAll(/https?:\/\/([^:/$`"'\s]*)/g)].map(([, host]) => host);
    expect(new Set([...hosts, "127.0.0.1"])).toEqual(new Set(["127.0.0.1"]));
    const listens = [...script.matchAll(/listen\(([^)]*)\)/g)].map(([, where]) => where ?? "");
    expect(listens.filter((where) => !/^0, "127\.0\.0\.1"/.test(where))).toEqual([]);
    expect(script).not.toMatch(/--(?:registry|index-url|extra-index-url)|npmjs|pypi/i);
    expect(script).not.toMatch(/(?<![\w}"'`.-])\/(?:home|root|Users|work|tmp|var|opt)\b/);
    expect(script).not.toMatch(/hasta-la-vista|\.\.\//);
  });
});
