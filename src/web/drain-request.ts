import * as z from "zod";
import { type DrainRequest, type NodeReference, nodeReference } from "../drain/request.ts";
import { shown } from "../drain/shown.ts";

/** What the caller must mend. */
export class BadRequest extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BadRequest";
  }
}

/** Characters of an unknown parameter's name. */
const NAME_SHOWN_MAX = 40;
const UNKNOWN_SHOWN_MAX = 5;
/** A text of JSON, and the colon after it where it names a field. */
const JSON_TEXT = /("(?:[^"\\]|\\.)*")\s*(:?)/g;
const NAMES = ["id", "ip", "node"] as const;
const FLAGS = z.enum(["true", "1", "false", "0"]).transform((text) => text === "true" || text === "1");
const names = { id: z.string().optional(), ip: z.string().optional(), node: z.string().optional() };

const QUERY = z.strictObject({ ...names, pw: z.string().optional(), dryRun: FLAGS.optional() });
const BODY = z.strictObject({ ...names, dryRun: z.boolean().optional() });

export interface DrainRequestInput {
  readonly query: URLSearchParams;
  /** The request's body, as it came. */
  readonly body: string;
  /** From the configuration: nothing is changed, whatever the caller asks for. */
  readonly dryRun: boolean;
}

/** Reads `POST /drain`: parameters in the query, in a JSON body, or shared out over both. Throws `BadRequest`. */
export function readDrainRequest({ query, body, dryRun }: DrainRequestInput): DrainRequest {
  const fromQuery = parse(QUERY, queryFields(query), "query");
  const fromBody = body.trim() === "" ? {} : parse(BODY, parseJson(body), "body");
  refuseRepeated(namesIn(body), "body");
  for (const name of [...NAMES, "dryRun"] as const) {
    if (fromQuery[name] !== undefined && fromBody[name] !== undefined) {
      throw new BadRequest(`'${name}' stands in the query and in the body: give it once`);
    }
  }
  return {
    node: readNode({ ...fromQuery, ...fromBody }),
    dryRun: dryRun || (fromQuery.dryRun ?? fromBody.dryRun ?? false),
  };
}

function readNode(fields: { readonly id?: string; readonly ip?: string; readonly node?: string }): NodeReference {
  const given = NAMES.filter((name) => fields[name] !== undefined);
  const [name, ...others] = given;
  if (name === undefined)
    throw new BadRequest("which node? Give 'id' (an instance id), 'ip' (a private address) or 'node' (its name)");
  if (others.length > 0) throw new BadRequest(`${quoted(given)} were given: give exactly one of 'id', 'ip' and 'node'`);
  try {
    return nodeReference(name === "node" ? "name" : name, fields[name] ?? "");
  } catch (error) {
    throw new BadRequest(`${name}: ${(error as Error).message}`);
  }
}

function queryFields(query: URLSearchParams): Record<string, string> {
  refuseRepeated([...query.keys()], "query");
  // Not by assignment, which would do nothing for `__proto__`.
  return Object.fromEntries(query);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not JSON: send an object such as {"id": "i-0123456789abcdef0"}');
  }
}

/**
 * The fields of a body in their order, each as often as it was given: JSON.parse keeps the last of several and says
 * nothing. The body is taken to be checked: no field holds an object with fields of its own.
 */
function namesIn(body: string): readonly string[] {
  const names = [...body.matchAll(JSON_TEXT)].filter(([, , colon]) => colon === ":");
  return names.map(([, text = ""]) => String(JSON.parse(text)));
}

function refuseRepeated(names: readonly string[], where: "query" | "body"): void {
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated === undefined) return;
  throw new BadRequest(`'${shown(repeated, NAME_SHOWN_MAX)}' stands twice in the ${where}: give it once`);
}

/** What zod says of a value could repeat it; names and expectations are enough, and can't hold a secret. */
function parse<T>(schema: z.ZodType<T>, value: unknown, where: "query" | "body"): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") {
      const allowed = where === "query" ? "id, ip, node, dryRun and pw" : "id, ip, node and dryRun";
      const keys = issue.keys.slice(0, UNKNOWN_SHOWN_MAX).map((key) => shown(key, NAME_SHOWN_MAX));
      const hidden = issue.keys.length - keys.length;
      return `unknown ${quoted(keys)}${hidden > 0 ? ` and ${hidden} more` : ""} in the ${where}: it takes ${allowed}`;
    }
    const path = issue.path.join(".");
    return path === ""
      ? `the ${where} must be a JSON object`
      : `'${path}' in the ${where}: ${issue.message.toLowerCase()}`;
  });
  throw new BadRequest(problems.join("; "));
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(", ");
}
