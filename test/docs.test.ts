import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { PLAN_ACTIONS } from "../src/aws/actions.ts";
import { outcomeReport } from "../src/drain/report.ts";
import { withOptionsTable } from "./support/options-table.ts";

const README = readFileSync("README.md", "utf8");
const DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "decisions/README.md"];

describe("the README", () => {
  test("has the two commands on top", () => {
    const commands = ["npm ci && npm run demo", "npm ci && npm test"];
    const top = README.split("\n").slice(0, 15);
    expect(commands.map((command) => top.includes(command))).toEqual([true, true]);
  });

  test("lists every option as the program has it (`npm run docs` writes it)", () => {
    expect(README).toContain("`SECRET_FILE`");
    expect(README).toBe(withOptionsTable(README));
  });

  test("prints the policy that the program needs", () => {
    const policy = JSON.parse(/```json\n([\s\S]*?)```/.exec(README)?.[1] ?? "");
    expect(policy.Statement[0].Action).toEqual(PLAN_ACTIONS);
    expect(policy.Statement[1].Action).toEqual([
      "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
      "elasticloadbalancing:DeregisterTargets",
    ]);
  });

  test("stays short enough to be read", () => {
    expect(README.split("\n").length).toBeLessThanOrEqual(200);
  });
});

test.each(DOCUMENTS)("every link in %s leads somewhere", (document) => {
  const text = readFileSync(document, "utf8");
  const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? "");
  expect(targets.filter((target) => !existsSync(join(dirname(document), target)))).toEqual([]);
});

test("the map in ARCHITECTURE names only files and folders that exist", () => {
  const map = /## Map\n+```\n([\s\S]*?)```/.exec(readFileSync("ARCHITECTURE.md", "utf8"))?.[1] ?? "";
  const names = [...map.matchAll(/\b([a-z-]+\.ts)\b/g)].map((match) => match[1] ?? "");
  expect(names.length).toBeGreaterThan(20);
  const known = ["src", "src/drain", "src/cli", "src/aws", "src/providers/aws", "src/web"];
  expect(names.filter((name) => !known.some((folder) => existsSync(join(folder, name))))).toEqual([]);
});

test("reports keep seconds with one decimal, and moments as ISO 8601", () => {
  const limit = { reason: "timeout", at: 0 } as const;
  expect(outcomeReport({ status: "deadline-passed", searched: true, limit, registrations: [] })).toEqual({
    status: "deadline-passed",
    limit: { reason: "timeout", at: "1970-01-01T00:00:00.000Z" },
    searched: true,
    registrations: [],
  });
});
