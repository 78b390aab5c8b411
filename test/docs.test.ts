import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { outcomeReport } from "../src/drain/report.ts";
import { DOCUMENTS } from "./support/documents.ts";
import { withOptionsTable } from "./support/options-table.ts";
import { printedFor } from "./support/printed-policy.ts";

const README = readFileSync("README.md", "utf8");

describe("the README", () => {
  test("has the two commands on top", () => {
    const commands = ["npm ci && npm run demo", "npm ci && npm test"];
    const top = README.split("\n").slice(0, 15);
    expect(commands.map((command) => top.includes(command))).toEqual([true, true]);
  });

  test("has a command that gives a role the policy that the program prints", async () => {
    const command = /## Permissions[\s\S]*?```sh\n([\s\S]*?)```/.exec(README)?.[1] ?? "";
    const bin = await mkdtemp(join(tmpdir(), "bin-"));
    onTestFinished(() => rm(bin, { recursive: true }));
    const script = (name: string, line: string) => writeFile(join(bin, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    await script("npx", `shift; exec "${process.execPath}" "${resolve("dist/cli.js")}" "$@"`);
    // In place of AWS's: says for whom the document is that it was given, and the document.
    await script("aws", 'echo "$1 $2 $4"; cat "$(echo "$8" | sed s,^file://,,)"');
    const env = { PATH: `${bin}:${process.env["PATH"]}` };
    const [called, ...document] = execFileSync("sh", ["-c", command], { env, encoding: "utf8" }).split("\n");
    expect(called).toBe("iam put-role-policy drainer");
    expect(JSON.parse(document.join("\n"))).toEqual(printedFor({ AWS_REGION: "eu-west-1" }));
  });

  test("stays short enough to be read", () => {
    expect(README.split("\n").length).toBeLessThanOrEqual(200);
  });
});

test("docs/configuration.md lists every option as the program has it (`npm run docs` writes it)", () => {
  const document = readFileSync("docs/configuration.md", "utf8");
  expect(document).toContain("`SECRET_FILE`");
  expect(document).toBe(withOptionsTable(document));
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
  const known = [
    "src/app",
    "src/config",
    "src/drain",
    "src/cli",
    "src/aws",
    "src/lambda",
    "src/sources",
    "src/sources/events",
    "src/provider",
    "src/ledger",
    "src/web",
    "src/observe",
  ];
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
