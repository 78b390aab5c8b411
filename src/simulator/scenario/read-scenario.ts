import { Lexer, Parser, parseDocument } from "yaml";
import * as z from "zod";
import { inconsistencies } from "./consistency.ts";
import { clashesOf } from "./machines.ts";
import { problemText, ScenarioError } from "./problem.ts";
import { SCENARIO_NEEDED, type Scenario, scenarioSchema } from "./schema.ts";
import { shapeAdvice } from "./shape-advice.ts";
import { aliasProblem, yamlProblem } from "./yaml-problem.ts";

/** Far more levels than a scenario has. */
const NESTING_MAX = 100;

/** Reads a scenario from YAML or JSON. Throws `ScenarioError` with all problems that it has found. */
export function readScenario(text: string): Scenario {
  const data = parse(text);
  const checked = scenarioSchema.safeParse(data, { error: shapeAdvice });
  const problems = [...(checked.error?.issues ?? []), ...inconsistencies(data)].map(problemText);
  if (!checked.success || problems.length > 0) throw new ScenarioError([...new Set(problems)]);
  const clashes = clashesOf(checked.data).map(problemText);
  if (clashes.length > 0) throw new ScenarioError(clashes);
  return checked.data;
}

/** The schema as published for editors. */
export function scenarioJsonSchema(): object {
  return z.toJSONSchema(scenarioSchema, { io: "input" });
}

function parse(text: string): unknown {
  if (isNestedTooDeeply(text)) throw new ScenarioError(["it is nested too deeply"]);
  // The parser would write its warnings to stderr. Those that matter are in the document.
  const document = parseDocument(text, { logLevel: "error" });
  // A warning is about a tag or a version that the parser does not know. The parser would ignore it.
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.some(({ code }) => code === "MULTIPLE_DOCS")) {
    throw new ScenarioError(["it contains several documents, separated by ---: give one"]);
  }
  if (wrong.length > 0) throw new ScenarioError([...new Set(wrong.map((each) => yamlProblem(each, text)))]);
  if (document.contents === null) throw new ScenarioError([`the file contains no scenario: ${SCENARIO_NEEDED}`]);
  try {
    return document.toJS();
  } catch (error) {
    throw new ScenarioError([aliasProblem(error as Error)]);
  }
}

/**
 * Composing a document recurses for each level, and can exhaust the stack. If V8 compiles a regular expression at that
 * moment, it ends the process. The parser before it does not recurse. It keeps the open collections in a list.
 */
function isNestedTooDeeply(text: string): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > NESTING_MAX) return true;
  }
  return false;
}
