import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EXIT } from "../src/cli/exit-codes.ts";
import { DrainError, type DrainErrorCode } from "../src/drain/errors.ts";
import { CONTROL_PREFIX } from "../src/simulator/control/controlled-region.ts";
import { OPERATIONS } from "../src/simulator/control/operations.ts";
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
        .map(
          (method) =>
            `${method} ${path.replace("{drain}", "<id>").replace("{node}", "<node>").replace("{asset}", "<name>")}`,
        ),
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

describe("docs/kubernetes.md", () => {
  const page = read("docs/kubernetes.md");
  const story = read("src/kubernetes/node-story.ts");

  test("has a row for each Event's reason, with its type, and no other", () => {
    const reported = [...story.matchAll(/\b(normal|warning)\("(\w+)"/g)].map(
      ([, type = "", reason]) => `${reason} ${type === "normal" ? "Normal" : "Warning"}`,
    );
    const rows = [...page.matchAll(/^\| `(\w+)` \| (Normal|Warning) \|/gm)].map(
      ([, reason, type]) => `${reason} ${type}`,
    );
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.sort()).toEqual([...new Set(reported)].sort());
  });

  test("has a row for each annotation of a node's state", () => {
    const [, state = ""] = /interface NodeState \{([\s\S]*?)\n\}/.exec(story) ?? [];
    const keys = [...state.matchAll(/^ {2}readonly "?([\w-]+)"?\??:/gm)].map(([, key]) => `hasta-la-vista.io/${key}`);
    expect(firstCells(below(page, "What you see in Kubernetes")).filter((cell) => cell?.includes("/"))).toEqual(keys);
  });

  test("quotes log lines and answers that there are", () => {
    const logged = firstCells(read("docs/log.md"));
    const lines = firstCells(below(page, "Troubleshooting"));
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.filter((line) => !logged.includes(line))).toEqual([]);
    const [answer = ""] = below(page, "Troubleshooting").match(/```\n[\s\S]*?```/) ?? [];
    const source = read("src/kubernetes/errors.ts").replaceAll(/\$\{[^{}]*\}/g, "…");
    const quoted = answer.split("\n").slice(1, -1);
    expect(quoted.filter((line) => !source.includes(line))).toEqual([]);
    expect(page).toContain("the deadline leaves …");
    expect(read("src/drain/plan.ts")).toContain("`the deadline leaves $");
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

describe("docs/simulator.md", () => {
  const page = read("docs/simulator.md");

  test("has a row for each operation of the control API", () => {
    const rows = [...page.matchAll(/^\| `([A-Z]+ \/_simulator\/\S+)` \|/gm)].map(([, row]) => row);
    expect(rows.sort()).toEqual(OPERATIONS.map(({ method, path }) => `${method} ${CONTROL_PREFIX}${path}`).sort());
  });

  test("has a row for each scenario file", () => {
    const rows = [...page.matchAll(/^\| \[[\w-]+\.yaml\]\(scenarios\/([\w-]+\.yaml)\) \|/gm)].map(([, file]) => file);
    expect(rows.sort()).toEqual(readdirSync("docs/scenarios").filter((file) => file.endsWith(".yaml")));
  });

  test("has a row for each flag of `simulate`", async () => {
    const { stdout } = await runCli(["simulate", "--help"]);
    const flags = [...stdout.matchAll(/^ {2}(--[\w-]+(?: <\w+>)?)/gm)].map(([, flag]) => flag);
    expect(firstCells(below(page, "Start")).sort()).toEqual(flags.sort());
  });
});

test.each(["Set up", "Use", "Operate"])(
  "the README and the index of docs have the same pages under '%s'",
  (heading) => {
    const linksIn = (text: string) => [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
    const row = read("README.md")
      .split("\n")
      .find((line) => line.startsWith(`| ${heading} |`));
    const listed = read("docs/README.md").split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
    // The content of a page may link to other ones.
    const pages = listed.split("\n").flatMap((line) => linksIn(line.split("|")[1] ?? ""));
    const expected = pages.map((link) => (link.startsWith("../") ? link.slice(3) : `docs/${link}`));
    expect(linksIn(row ?? "").sort()).toEqual(expected.sort());
  },
);

test("the index of decisions lists each of them, in order", () => {
  const pages = readdirSync("decisions").filter((file) => /^\d/.test(file));
  const listed = [...read("decisions/README.md").matchAll(/^(\d+)\. \[.+\]\((.+)\)$/gm)];
  expect(listed.map(([, , page]) => page)).toEqual(pages);
  expect(listed.map(([, number]) => number?.padStart(4, "0"))).toEqual(pages.map((page) => page.slice(0, 4)));
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
