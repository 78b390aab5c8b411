import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { outcomeReport } from "../src/drain/report.ts";
import { anchorsOf, DOCUMENTS, filesBelow, linksOf } from "./support/documents.ts";
import { withOptionsTable } from "./support/options-table.ts";
import { printedFor } from "./support/printed-policy.ts";

const README = readFileSync("README.md", "utf8");

describe("the README", () => {
  test("has the two commands on top", () => {
    const commands = ["npm ci && npm run demo", "npm ci && npm test"];
    const top = README.split("\n").slice(0, 20);
    expect(commands.map((command) => top.includes(command))).toEqual([true, true]);
  });

  test("stays short enough to be read", () => {
    expect(README.split("\n").length).toBeLessThanOrEqual(150);
  });
});

test("docs/performance.md names the flags of Node.js that the image has", () => {
  const [, flags] =
    /ENTRYPOINT \["\/nodejs\/bin\/node", (.*), "\/app\/service\.js"\]/.exec(readFileSync("Dockerfile", "utf8")) ?? [];
  const named = flags?.replaceAll('"', "").replaceAll(", ", " ");
  expect(readFileSync("docs/performance.md", "utf8")).toContain(`The image has Node.js 24 and the flags \`${named}\`.`);
});

test("docs/install.md has a command that gives a role the policy that the program prints for what the chart sets", async () => {
  const command =
    /## IAM permissions[\s\S]*?```sh\n([\s\S]*?)```/.exec(readFileSync("docs/install.md", "utf8"))?.[1] ?? "";
  const bin = await mkdtemp(join(tmpdir(), "bin-"));
  onTestFinished(() => rm(bin, { recursive: true }));
  // In place of AWS's: prints the names that the document was given for, and the document.
  const aws = '#!/bin/sh\necho "$1 $2 $4"; cat "$(echo "$8" | sed s,^file://,,)"\n';
  await writeFile(join(bin, "aws"), aws, { mode: 0o755 });
  const env = { PATH: `${bin}:${dirname(process.execPath)}:${process.env["PATH"]}` };
  const [called, ...document] = execFileSync("sh", ["-c", command], { env, encoding: "utf8" }).split("\n");
  expect(called).toBe("iam put-role-policy hasta-la-vista");
  expect(JSON.parse(document.join("\n"))).toEqual(printedFor({ AWS_REGION: "eu-west-1", UNDO: "true" }));
});

test("docs/configuration.md lists every option as the program has it (`npm run docs` writes it)", () => {
  const document = readFileSync("docs/configuration.md", "utf8");
  expect(document).toContain("### SECRET_FILE");
  expect(document).toBe(withOptionsTable(document));
});

test("documents, texts and comments name who does something: the caller, a controller, AWS", () => {
  const vague = /\b(whoever|nobody|somebody|anybody)\b/i;
  const texts = [...filesBelow("src"), ...filesBelow("docs"), ...DOCUMENTS].filter((path) =>
    /\.(ts|md|yaml)$/.test(path),
  );
  expect(texts.length).toBeGreaterThan(300);
  expect(texts.filter((path) => vague.test(readFileSync(path, "utf8")))).toEqual([]);
});

test.each(DOCUMENTS)("every link in %s leads to a file, and to a heading of it", (document) => {
  const missing = linksOf(document).filter(({ path, anchor }) => {
    if (!existsSync(path)) return true;
    return anchor !== undefined && !anchorsOf(path).includes(anchor);
  });
  expect(missing).toEqual([]);
});

test("every page of docs can be reached from the index, which stands in the README", () => {
  const reached = new Set(linksOf("docs/README.md").map(({ path }) => path));
  const pages = DOCUMENTS.filter((document) => document.startsWith("docs/") && document !== "docs/README.md");
  expect(pages.length).toBeGreaterThan(12);
  expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  expect(linksOf("README.md").map(({ path }) => path)).toContain("docs/README.md");
});

test.each(DOCUMENTS)("every file of the project that %s names exists", (document) => {
  const named = [...readFileSync(document, "utf8").matchAll(/`((?:src|test|bench|deploy|docs|decisions)\/[\w./-]+)`/g)];
  const paths = named.map((match) => match[1] ?? "");
  expect(paths.filter((path) => !existsSync(path) && !existsSync(`${path}.md`))).toEqual([]);
});

test.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])(
  "every source file that %s names by its name alone exists",
  (document) => {
    const known = new Set(filesBelow(".").map((file) => basename(file)));
    const named = [...readFileSync(document, "utf8").matchAll(/`([\w.-]+\.(?:ts|mjs))`/g)].map(
      (match) => match[1] ?? "",
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  },
);

test("no file runs the program by its name in the npm registry, where the name is not ours", () => {
  const files = filesBelow(".");
  expect(files.length).toBeGreaterThan(400);
  // Written so that this file does not match.
  const runs = /\b(?:npx|npm (?:exec|x)|pnpm dlx|yarn dlx|bunx)(?:\s+-{1,2}[\w-]+)*\s+hasta-la-vista\b/;
  expect(files.filter((file) => runs.test(readFileSync(file, "utf8")))).toEqual([]);
  const installs = /\bnpm (?:install|i|add)(?:\s+-{1,2}[\w-]+)*\s+hasta-la-vista\b/;
  expect(files.filter((file) => installs.test(readFileSync(file, "utf8")))).toEqual([]);
});

test("names of tarballs and images in the documents have the package's version", () => {
  const texts = [...DOCUMENTS, "deploy/kustomize/service.yaml"].map((file) => readFileSync(file, "utf8")).join();
  const versions = [...texts.matchAll(/hasta-la-vista(?:-(\d[\w.-]*)\.tgz|:(\d[\w.-]*))/g)].map(
    ([, tarball, image]) => tarball ?? image,
  );
  expect(versions.length).toBeGreaterThan(3);
  expect([...new Set(versions)]).toEqual([manifest.version]);
});

describe("the changelog", () => {
  const lines = readFileSync("CHANGELOG.md", "utf8").split("\n");
  const GROUPS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

  test("has Unreleased on top, and a date at every version", () => {
    const [first, ...released] = lines.filter((line) => line.startsWith("## "));
    expect(first).toBe("## Unreleased");
    expect(released.filter((line) => !/^## \[?\d+\.\d+\.\d+[\w.-]*\]? - \d{4}-\d\d-\d\d$/.test(line))).toEqual([]);
  });

  test("groups changes by the kinds of Keep a Changelog, each once a version", () => {
    const sections = lines.join("\n").split(/^## /m).slice(1);
    for (const section of sections) {
      const groups = [...section.matchAll(/^### (.+)$/gm)].map((match) => match[1] ?? "");
      expect(groups.filter((group) => !GROUPS.includes(group))).toEqual([]);
      expect(new Set(groups).size).toBe(groups.length);
    }
  });
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
    "src/kubernetes",
    "src/ledger",
    "src/web",
    "src/observe",
    "src/connections",
    "src/doctor",
    "src/notify",
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
