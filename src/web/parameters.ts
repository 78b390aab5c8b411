import type { Context } from "hono";
import type * as z from "zod";
import { printable } from "../drain/errors.ts";

/** A request that the caller has to correct. */
export class BadRequest extends Error {
  /** The same without anything that the caller has sent, which might be the secret in the wrong place. */
  readonly logged: string;

  constructor(message: string, logged = message) {
    super(message);
    this.name = "BadRequest";
    this.logged = logged;
  }
}

/** Characters of an unknown parameter's name. */
const NAME_SHOWN_MAX = 40;
const UNKNOWN_SHOWN_MAX = 5;

export function queryOf({ req }: Context): URLSearchParams {
  return new URL(req.url).searchParams;
}

/** The query's parameters. Throws `BadRequest` if one is given twice. */
export function queryFields(query: URLSearchParams): Readonly<Record<string, string>> {
  refuseRepeated([...query.keys()], "query");
  // Not by assignment, which would do nothing for `__proto__`.
  return Object.fromEntries(query);
}

/** Throws `BadRequest` if a name is given twice. */
export function refuseRepeated(names: readonly string[], where: "query" | "body"): void {
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated === undefined) return;
  throw new BadRequest(
    `'${printable(repeated, NAME_SHOWN_MAX)}' is given twice in the ${where}: give it once`,
    `a parameter is given twice in the ${where}`,
  );
}

/**
 * Checks parameters against their schema, and throws `BadRequest` with all problems. The messages of zod could repeat a
 * value. Names and expectations are sufficient, and can't contain a secret.
 */
export function readParameters<T extends z.ZodObject>(schema: T, value: unknown, where: "query" | "body"): z.output<T> {
  const result = schema.safeParse(value, { error: advice });
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const takes = `the ${where} takes ${listed(Object.keys(schema.shape))}`;
    if (issue.code === "unrecognized_keys") {
      const names = quoted(issue.keys.slice(0, UNKNOWN_SHOWN_MAX).map((key) => printable(key, NAME_SHOWN_MAX)));
      const hidden = issue.keys.length - UNKNOWN_SHOWN_MAX;
      const more = hidden > 0 ? ` and ${hidden} more` : "";
      const said = `unknown ${names}${more} in the ${where}: it takes ${listed(Object.keys(schema.shape))}`;
      return { said, logged: takes };
    }
    const path = issue.path.join(".");
    const said = path === "" ? `the ${where} must be a JSON object` : `'${path}' in the ${where}: ${issue.message}`;
    return { said, logged: said };
  });
  throw new BadRequest(
    problems.map(({ said }) => said).join("; "),
    [...new Set(problems.map(({ logged }) => logged))].join("; "),
  );
}

/** What to give instead, if the schema has no advice of its own. */
const advice: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === "invalid_type") return `give ${TYPES[issue.expected] ?? issue.expected}`;
  if (issue.code === "invalid_value") return `give one of ${issue.values.map(String).join(", ")}`;
  return "give another value";
};

const TYPES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  boolean: "true or false",
  object: "a JSON object",
};

export function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(", ");
}

function listed(names: readonly string[]): string {
  return names.length === 1 ? `${names[0]}` : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
