import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PURPOSES } from "../src/drain/urgency.ts";
import openapi from "../src/web/openapi.json" with { type: "json" };
import { DOCUMENTS } from "./support/documents.ts";
import { sourceFiles } from "./support/source-tree.ts";

const WORDS = readFileSync("ARCHITECTURE.md", "utf8").split("## Words\n")[1]?.split("\n## ")[0] ?? "";
/** Each word that has a row, once for each row. */
const GLOSSARY = [...WORDS.matchAll(/^\| ([a-z, ]+) \| /gm)]
  .flatMap(([, words = ""]) => words.split(", "))
  .filter((word) => word !== "word");

/** Words that have no place in what users read, and what stands in theirs. */
const RETIRED: readonly [word: RegExp, instead: string][] = [
  [/\b(?:whoever|whomever|nobody|somebody|anybody)\b/i, "the caller, another program, no client: the noun"],
  [/\bfates?\b/i, "state, result or draining registration"],
];

describe("one meaning a word:", () => {
  test("the glossary has a row for each of its words, and no second one", () => {
    expect(GLOSSARY).toEqual(expect.arrayContaining(["node", "pool", "poll", "draining registration"]));
    expect(GLOSSARY).toHaveLength(new Set(GLOSSARY).size);
  });

  test("a call that asks whether a pool has released is a poll, as in the glossary", () => {
    expect(PURPOSES).toContain("poll");
    expect(PURPOSES).not.toContain("look");
  });

  test("the API calls a registration of a drain what the glossary calls it", () => {
    const names = Object.keys(openapi.components.schemas);
    expect(names).toContain("DrainingRegistration");
    expect(names.filter((name) => /fate/i.test(name))).toEqual([]);
  });

  test.each(RETIRED)("no document has %s, but %s", (word) => {
    const found = DOCUMENTS.flatMap((name) =>
      readFileSync(name, "utf8")
        .split("\n")
        // A name that was replaced is quoted as code.
        .flatMap((line, index) => (word.test(line.replace(/`[^`]*`/g, "")) ? [`${name}:${index + 1}: ${line}`] : [])),
    );
    expect(DOCUMENTS.length).toBeGreaterThan(10);
    expect(found).toEqual([]);
  });

  test("no comment and no message of the code speaks of persons without a name", () => {
    const files = sourceFiles("src");
    const [word] = RETIRED[0] ?? [/$^/];
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter(({ text }) => word.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
