import * as z from "zod";
import { CONTROL_PREFIX } from "./controlled-region.ts";
import type { Operation } from "./operation.ts";

const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  problems: z.array(z.string()).optional().describe("Everything that is wrong with the body, each with its place."),
});

/** The control API as OpenAPI 3.1 describes it. */
export function openApiDocument(operations: readonly Operation[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = CONTROL_PREFIX + operation.path;
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: described(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "hasta-la-vista simulate",
      version: "1",
      description: "Brings events about in a simulated AWS region, and says how it stands. Without authentication.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    security: [],
    paths,
  };
}

function described({ method, path, summary, body, answer }: Operation): object {
  return {
    operationId: `${method.toLowerCase()}-${path.replaceAll("/", "-")}`,
    summary,
    ...(body !== undefined && { requestBody: { required: true, content: json(body, "input") } }),
    responses: {
      200: { description: "Done.", content: json(answer, "output") },
      "4XX": {
        description: "Refused, and why. Nothing has changed.",
        content: { "application/problem+json": { schema: schemaOf(problem, "output") } },
      },
      503: {
        description: "The region is still starting. Ask again.",
        headers: { "Retry-After": { description: "Seconds to wait.", schema: { type: "integer" } } },
        content: { "application/problem+json": { schema: schemaOf(problem, "output") } },
      },
    },
  };
}

function json(schema: z.ZodType, io: "input" | "output"): object {
  return { "application/json": { schema: schemaOf(schema, io) } };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
