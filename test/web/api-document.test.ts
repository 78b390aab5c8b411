import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { apiDocument } from "../../src/web/api-document.ts";
import { ROUTES } from "../../src/web/app.ts";
import { checkAnswer } from "../support/api-answers.ts";

const FILE = "src/web/openapi.json";
const document = apiDocument() as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly parameters?: readonly object[] }>>>>;
};

describe("the API's description", () => {
  test("is the one that the schemas make (`npm run docs` writes it)", () => {
    expect(readFileSync(FILE, "utf8")).toBe(`${JSON.stringify(document, null, 2)}\n`);
  });

  test("has every path that is served, with its method, and no other", () => {
    const described = Object.entries(document.paths).map(([path, operations]) => [path, Object.keys(operations)]);
    const served = Object.entries(ROUTES).map(([path, methods]) => [
      path,
      methods
        .toLowerCase()
        .split(", ")
        .filter((method) => method !== "head"),
    ]);
    expect(described).toEqual(served);
  });

  test("says how each parameter is written", () => {
    const parameters = document.paths["/drain"]?.["post"]?.parameters;
    expect(parameters).toContainEqual(
      expect.objectContaining({
        name: "timeout",
        in: "query",
        schema: expect.objectContaining({ type: "number", minimum: 1, maximum: 86_400 }),
      }),
    );
    expect(parameters).toContainEqual(
      expect.objectContaining({ name: "wait", schema: expect.objectContaining({ pattern: expect.any(String) }) }),
    );
  });

  test("passes the linter", async () => {
    const args = ["node_modules/@redocly/cli/bin/cli.js", "lint", FILE, "--config", "lint/redocly.yaml"];
    const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
    const said = await new Promise<string>((resolve) => {
      execFile(process.execPath, [...args, "--max-problems", "10"], { env }, (error, stdout, stderr) =>
        resolve(`${error?.code ?? 0} ${stdout}${stderr}`),
      );
    });
    expect(said).toMatch(/^0 /);
    expect(said).not.toMatch(/You have \d+ warning|\[\d+\] src/);
  });
});

describe("an answer is held to the description:", () => {
  const json = (body: unknown, init: ResponseInit = {}) =>
    new Response(JSON.stringify(body), { headers: { "content-type": "application/json" }, ...init });
  const problem = { type: "about:blank", title: "t", status: 400, detail: "d" };
  const asProblem = (status: number, more: object = {}, headers: Record<string, string> = {}) =>
    json(
      { ...problem, status, ...more },
      { status, headers: { "content-type": "application/problem+json", ...headers } },
    );
  const node = { id: "i-1", name: "n", network: "v" };
  const drained = { status: "drained", drainId: "d", node, registrations: [], elsewhere: [] };

  test.each<[string, string, string, Response]>([
    ["as it should be", "POST", "/drain", json(drained)],
    ["another kind of end", "POST", "/drain", json({ status: "instance-gone", message: "m" })],
    ["a problem", "POST", "/drain", asProblem(400)],
    ["an unknown path", "GET", "/nothing", asProblem(404)],
    ["an unknown method", "GET", "/drain", asProblem(405, {}, { allow: "POST" })],
  ])("%s passes", async (_, method, path, response) => {
    await checkAnswer({ method, path, response });
  });

  test.each<[string, string, string, Response, RegExp]>([
    ["a field too many", "POST", "/drain", json({ ...drained, more: 1 }), /more/],
    ["a field too many, deep inside", "POST", "/drain", json({ ...drained, node: { ...node, more: 1 } }), /drain/],
    ["a field that is missing", "POST", "/drain", json({ ...drained, node: undefined }), /drain/],
    ["a field of another type", "POST", "/drain", json({ ...drained, drainId: 1 }), /drain/],
    ["an unknown status of a drain", "POST", "/drain", json({ ...drained, status: "done" }), /drain/],
    ["a status that is not described", "POST", "/drain", asProblem(418), /no such status/],
    ["another content type", "POST", "/drain", new Response("drained"), /content type 'text\/plain'/],
    ["a problem that is plain JSON", "POST", "/drain", json(problem, { status: 400 }), /content type/],
    [
      "a body that is no JSON",
      "GET",
      "/health",
      new Response("{", { headers: { "content-type": "application/json" } }),
      /health/,
    ],
    ["a header that is missing", "GET", "/ready", asProblem(503, { reason: "checking" }), /Retry-After is missing/],
    ["a success where there is nothing", "GET", "/nothing", json({}), /no such status/],
  ])("%s fails", async (_, method, path, response, message) => {
    await expect(checkAnswer({ method, path, response })).rejects.toThrow(message);
  });
});
