import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EXIT } from "../src/cli/exit-codes.ts";
import { DrainError, type DrainErrorCode } from "../src/drain/errors.ts";
import { REFUSED } from "../src/web/answer-schemas.ts";
import { failureAnswer } from "../src/web/answers.ts";
import { ROUTES } from "../src/web/app.ts";
import { DRAIN_BODY } from "../src/web/drain-request.ts";
import openapi from "../src/web/openapi.json" with { type: "json" };
import { runCli } from "./support/child-process.ts";
import { DOCUMENTS } from "./support/documents.ts";

const read = (file: string) => readFileSync(file, "utf8");
/** The first cells of a page's table rows, which stand in code or are a number. */
const firstCells = (text: string) =>
  [...text.matchAll(/^\| (?:`([^`]+)`|(\d+)) \|/gm)].map(([, code, number]) => code ?? number);
const below = (text: string, heading: string) => text.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";

describe("docs/http-api.md", () => {
  const page = read("docs/http-api.md");

  test("has a row for every endpoint with every method, and no other", () => {
    const rows = [...page.matchAll(/^\| `(GET|POST|DELETE) (\/\S*)` \|/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    );
    const routes = Object.entries(ROUTES).flatMap(([path, methods]) =>
      methods
        .split(", ")
        .filter((method) => method !== "HEAD")
        .map((method) => `${method} ${path.replace("{drain}", "<id>").replace("{node}", "<node>")}`),
    );
    expect(rows.sort()).toEqual(routes.sort());
  });

  test("has one row for each status code that the API's description has", () => {
    const described = Object.values(openapi.paths).flatMap((path) =>
      Object.values(path as Record<string, { readonly responses: object }>).flatMap(({ responses }) =>
        Object.keys(responses),
      ),
    );
    // 405 comes from the paths themselves; 204 is the end of an event stream.
    const expected = new Set([...described, "405"]);
    expected.delete("204");
    expect(firstCells(below(page, "Status codes"))).toEqual([...expected].sort());
  });

  test("has a row for each code of a failure, with the status that is answered for it, and for each reason to refuse", () => {
    const failures = [
      ...(read("src/drain/errors.ts").split("export class")[0] ?? "").matchAll(/^ {2}\| "([a-z-]+)"/gm),
    ];
    const expected = failures.map(([, code = ""]) => {
      const { status } = failureAnswer(new DrainError(code as DrainErrorCode, "it failed"));
      return [code, `${status}`];
    });
    expect(expected.length).toBeGreaterThan(15);
    const rows = [...below(page, "Codes").matchAll(/^\| `([^`]+)` \| (\d+) \| \S/gm)].map(([, code, status]) => [
      code,
      status,
    ]);
    const refusals = [...REFUSED.shape.outcome.shape.reason.options, "possibly-registered", "superseded"].map(
      (code) => [code, "409"],
    );
    expect(rows.sort()).toEqual([...expected, ...refusals].sort());
  });

  test("has a row for each parameter of POST /drain", () => {
    expect(firstCells(below(page, "POST /drain")).sort()).toEqual(Object.keys(DRAIN_BODY.shape).sort());
  });
});

describe("docs/cli.md", () => {
  const page = read("docs/cli.md");

  test("has a row for each command that --help lists, and for each exit code", async () => {
    const { stdout } = await runCli(["--help"]);
    const commands = [...(stdout.split("Commands:")[1] ?? "").matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name);
    const table = page.split("## Exit codes")[0] ?? "";
    const rows = firstCells(table).map((cell) => cell?.split(" ")[0]);
    expect(rows.sort()).toEqual(commands.filter((name) => name !== "help").sort());
    expect(firstCells(below(page, "Exit codes")).map(Number)).toEqual(Object.values(EXIT));
  });
});

test("the README tells readers who do not see the picture of the demo what it shows", () => {
  const counts = (text = "") => [...text.matchAll(/\d+ of \d+/g)].map(([count]) => count);
  const shown = counts(/aria-label="([^"]*)"/.exec(read("docs/demo.svg"))?.[1]);
  expect(shown).toHaveLength(3);
  expect(counts(/!\[([^\]]*)\]\(docs\/demo\.svg\)/.exec(read("README.md"))?.[1])).toEqual(shown);
});

describe("tables in the pages", () => {
  // Those of the bench are wide on purpose, and the options' are generated.
  const PAGES = DOCUMENTS.filter((page) => !/configuration|performance|reliability|^decisions/.test(page));

  test.each(PAGES)("of %s have as many cells in each row, and five columns at most", (page) => {
    for (const [table] of read(page).matchAll(/(?:^\|.*\n)+/gm)) {
      const widths = table
        .trimEnd()
        .split("\n")
        .map((row) => row.split(/(?<!\\)\|/).length - 2);
      expect(new Set(widths).size).toBe(1);
      expect(widths[0]).toBeLessThanOrEqual(5);
    }
  });
});
