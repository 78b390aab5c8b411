import { parseDocument } from "yaml";
import * as z from "zod";
import { inconsistencies } from "./consistency.ts";
import { clashesOf } from "./machines.ts";
import { problemText, ScenarioError } from "./problem.ts";
import { type Scenario, scenarioSchema } from "./schema.ts";

/** Reads a scenario from YAML or JSON. Throws `ScenarioError` with everything that is wrong with it. */
export function readScenario(text: string): Scenario {
  const data = parse(text);
  const checked = scenarioSchema.safeParse(data);
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
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    // The first line says what and where; the others show it.
    throw new ScenarioError(document.errors.map(({ message }) => message.split(":\n", 1)[0] ?? message));
  }
  try {
    return document.toJS();
  } catch (error) {
    throw new ScenarioError([(error as Error).message]);
  }
}
