import * as z from "zod";
import { apiDocument } from "../../src/web/api-document.ts";
import { searchForSecrets } from "./secret-search.ts";

interface MediaType {
  readonly schema: object;
}

interface DescribedAnswer {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, MediaType>>;
}

interface Described {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, DescribedAnswer>> }>>>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export interface GivenAnswer {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly response: Response;
}

const DOCUMENT = apiDocument() as Described;
const PROBLEM: DescribedAnswer = {
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

/**
 * Throws when an answer's status, headers, content type or body is not as the API's description has it. It is searched
 * for secrets too.
 */
export async function checkAnswer({ method, path, response }: GivenAnswer): Promise<void> {
  const headers = [...response.headers].map((header) => header.join(": "));
  searchForSecrets(`the answer to ${method}`, [...headers, await response.clone().text()].join("\n"));
  const problems = await problemsOf({ method, path, response });
  if (problems.length === 0) return;
  throw new Error(`${method} ${path} answered ${response.status} against openapi.json: ${problems.join("; ")}`);
}

async function problemsOf({ method, path, response }: GivenAnswer): Promise<readonly string[]> {
  const described = describedAnswer(method, path, response.status);
  if (described === undefined) return ["there is no such status"];
  const missing = Object.keys(described.headers ?? {}).filter((name) => !response.headers.has(name));
  const headers = missing.map((name) => `the header ${name} is missing`);
  if (described.content === undefined && response.body === null) return headers;
  const type = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
  const media = described.content?.[type];
  if (media === undefined) return [...headers, `there is no content type '${type}'`];
  const text = await response.clone().text();
  if (method === "HEAD") return text === "" ? headers : [...headers, "HEAD has a body"];
  return [...headers, ...bodyProblems(media.schema, type.endsWith("json") ? parsed(text) : text)];
}

/** What may be said before anybody looks at path and method. */
const ANY_REQUEST = [400, 408, 414, 417, 431];

/** What is not described answers with a problem that says so. */
function describedAnswer(method: string, path: string, status: number): DescribedAnswer | undefined {
  const route = Object.keys(DOCUMENT.paths).find((each) =>
    new RegExp(`^${each.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+")}$`).test(path),
  );
  const operation = DOCUMENT.paths[route ?? ""]?.[method === "HEAD" ? "get" : method.toLowerCase()];
  if (operation === undefined && ANY_REQUEST.includes(status)) return PROBLEM;
  if (route === undefined) return status === 404 ? PROBLEM : undefined;
  if (operation === undefined) return status === 405 ? { ...PROBLEM, headers: { allow: {} } } : undefined;
  return operation.responses[status];
}

function bodyProblems(schema: object, body: unknown): readonly string[] {
  const result = checkOf(schema).safeParse(body);
  if (result.success) return [];
  return [`${z.prettifyError(result.error).replaceAll("\n", " ")} in ${JSON.stringify(body)}`];
}

/** Made once: some tests look at answers by the thousand. */
const checks = new Map<object, z.ZodType>();

function checkOf(schema: object): z.ZodType {
  const known = checks.get(schema);
  if (known !== undefined) return known;
  // zod finds definitions only beside the schema.
  const whole = JSON.stringify({ ...schema, $defs: DOCUMENT.components.schemas });
  const check = z.fromJSONSchema(JSON.parse(whole.replaceAll("#/components/schemas/", "#/$defs/")));
  checks.set(schema, check);
  return check;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
