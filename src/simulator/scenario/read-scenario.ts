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

/** Reads a scenario from YAML or JSON. Throws `ScenarioError` with everything that is wrong with it. */
export function readScenario(text: string): Scenario {
  const data = parse(text);
  const checked = scenarioSchema.safeParse(data, { error: shapeAdvice });
  const problems = [...(checked.error?.issues ?? []), ...inconsistencies(data)].map(problemText);
  if (!checked.success || problems.length > 0) throw new ScenarioError([...new Set(problems)]);
  const clashes = clashesOf(checked.data).map(problemText);
  if (clashes.length > 0) throw new ScenarioError(clashes);
  return checked.data;
}

/** The published form of the schema, for editors. */
export function scenarioJsonSchema(): object {
  return z.toJSONSchema(scenarioSchema, { io: "input" });
}

function parse(text: string): unknown {
  if (isNestedTooDeeply(text)) throw new ScenarioError(["it is nested too deeply"]);
  // Its own warnings would go to stderr; those that matter are in the document.
  const document = parseDocument(text, { logLevel: "error" });
  // A warning is of a tag or a version that the parser doesn't know, and reads as if it weren't there.
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.some(({ code }) => code === "MULTIPLE_DOCS")) {
    throw new ScenarioError(["it holds several documents, divided by ---: give one"]);
  }
  if (wrong.length > 0) throw new ScenarioError([...new Set(wrong.map((each) => yamlProblem(each, text)))]);
  if (document.contents === null) throw new ScenarioError([`the file says nothing: ${SCENARIO_NEEDED}`]);
  try {
    return document.toJS();
  } catch (error) {
    throw new ScenarioError([aliasProblem(error as Error)]);
  }
}

/**
 * Composing a document calls itself for each level, until the stack ends; V8 ends the process if it compiles a regular
 * expression just then. The parser before it needs no stack, and keeps the open collections in a list.
 */
function isNestedTooDeeply(text: string): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > NESTING_MAX) return true;
  }
  return false;
}
