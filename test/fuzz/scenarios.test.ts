import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc, { type Arbitrary } from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { buildWorld } from "../../src/simulator/scenario/build-world.ts";
import { ScenarioError } from "../../src/simulator/scenario/problem.ts";
import { readScenario, scenarioJsonSchema } from "../../src/simulator/scenario/read-scenario.ts";
import { countOfCases } from "../support/cases.ts";
import { bySchema, type Schema } from "../support/schema-arbitrary.ts";
import { SEED } from "./fuzz-seed.ts";

const SCHEMA = scenarioJsonSchema() as Schema;
const EXAMPLES = readdirSync("docs/scenarios").filter((name) => name.endsWith(".yaml"));
const WORDS = [
  "a",
  "web",
  "node",
  "node-1",
  "i-0123456789abcdef0",
  "10.0.0.1",
  "vpc-0123456789abcdef0",
  "eu-west-1",
  "eu-west-1a",
];

/** Cases of one test. */
const PART = 25;
/** So much of all is played where not all cases are: each takes milliseconds. */
const ONE_IN = 40;

let accepted = 0;
let refused = 0;

/** A scenario that can be built, or a `ScenarioError` that says what to mend: nothing else may come out. */
function readOrRefuse(text: string): void {
  try {
    buildWorld(readScenario(text), new VirtualClock());
    accepted += 1;
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    expect(error.problems.every((problem) => problem.trim() !== "")).toBe(true);
    refused += 1;
  }
}

function written(documents: Arbitrary<unknown>): Arbitrary<string> {
  return fc.oneof(
    documents.map((document) => JSON.stringify(document) ?? ""),
    documents.map((document) => stringify(document)),
  );
}

/** A text with a piece cut out, put in twice, or replaced. */
function mangled(texts: Arbitrary<string>): Arbitrary<string> {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 10 }),
    fc.constantFrom(
      "\t",
      "- ",
      ": ",
      "&a ",
      "*a",
      "<<: *a",
      "{",
      "]",
      '"',
      "---\n",
      "!!str ",
      "? ",
      "|\n",
      "%YAML 9.9\n",
      "\r",
      "#",
    ),
  );
  return fc.tuple(texts, fc.nat(), fc.nat(40), piece).map(([text, place, length, put]) => {
    const at = place % (text.length + 1);
    return text.slice(0, at) + put + text.slice(at + length);
  });
}

const KINDS: readonly [what: string, texts: Arbitrary<string>, runs: number][] = [
  ["that fit the schema", written(bySchema(SCHEMA, { words: WORDS, oneWrongIn: 0 })), 2_000],
  ["that nearly fit it", written(bySchema(SCHEMA, { words: WORDS, oneWrongIn: 30 })), 3_000],
  ["of any JSON", written(fc.jsonValue()), 2_000],
  [
    "made of the examples, mangled",
    mangled(fc.constantFrom(...EXAMPLES.map((name) => readFileSync(join("docs/scenarios", name), "utf8")))),
    1_000,
  ],
  ["of any text", fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.string({ maxLength: 200 })), 2_000],
];

describe(`scenarios by the thousand are read or refused, and nothing else (FUZZ_SEED=${SEED})`, () => {
  describe.each(KINDS)("%s", (_, texts, runs) => {
    // In parts, each of which takes seconds: none is too long for a test on a busy machine.
    const parts = Array.from({ length: countOfCases(runs, ONE_IN) / PART }, (_, part) => part);
    test.each(parts)("part %i", (part) => {
      fc.assert(fc.property(texts, readOrRefuse), { seed: SEED + part, numRuns: PART });
    });
  });

  test("of all of them both kinds were many", () => {
    expect(accepted + refused).toBe(countOfCases(10_000, ONE_IN));
    expect(accepted).toBeGreaterThan(countOfCases(100, ONE_IN));
    expect(refused).toBeGreaterThan(countOfCases(1_000, ONE_IN));
  });
});
