import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { codeBlocks } from "./support/documents.ts";
import { sourceFiles } from "./support/source-tree.ts";

const DOCUMENT = "docs/troubleshooting.md";
const text = readFileSync(DOCUMENT, "utf8");
const sources = sourceFiles("src")
  .filter(({ path }) => !path.startsWith("src/simulator"))
  .map(({ text: source }) => source);

/** What a text is filled with: without braces of its own, and with those of an object. */
const FILLINGS = [/\$\{[^{}]*\}/g, /\$\{(?:[^{}]|\{[^{}]*\})*\}/g];

/** The source, and again with … for what its texts are filled with, from the innermost outwards. */
const texts = sources.flatMap((source) => {
  const versions = [source];
  for (const filling of FILLINGS) {
    for (let last = ""; last !== versions.at(-1); ) {
      last = versions.at(-1) ?? "";
      versions.push(last.replace(filling, "…"));
    }
  }
  return versions;
});

/** Messages stand in code of no language, a line each. What they begin with may be another text. */
const messages = codeBlocks(DOCUMENT)
  .filter(({ language }) => language === "")
  .flatMap(({ text: block }) => block.trimEnd().split("\n"))
  .map((line) => line.replace(/^… /, ""));
/** `access-denied`, `cameBack`, `QUOTA_SHARE` */
const names = [...text.matchAll(/`([a-z]+(?:-[a-z]+)+|[a-z]+[A-Z]\w+)`|\b([A-Z]+_[A-Z]+)\b/g)].map(
  (match) => match[1] ?? match[2] ?? "",
);

describe(`${DOCUMENT} quotes what the program says`, () => {
  test("and there is something to quote", () => {
    expect(messages.length).toBeGreaterThan(40);
    expect(names.length).toBeGreaterThan(20);
  });

  test.each(messages)("%s", (message) => {
    expect(texts.some((source) => source.includes(message))).toBe(true);
  });

  test.each([...new Set(names)])("%s is its name", (name) => {
    expect(texts.some((source) => source.includes(name))).toBe(true);
  });
});
