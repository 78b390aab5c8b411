import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { provenance, sourceOf } from "../../packaging/provenance.mjs";

const SHA_256 = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const COMMIT = z.strictObject({ gitCommit: z.string().regex(/^[0-9a-f]{40}$/) });
/** https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md */
const RESOURCE = z
  .strictObject({
    name: z.string().min(1).optional(),
    uri: z.url().optional(),
    digest: z.union([SHA_256, COMMIT]).optional(),
    annotations: z.record(z.string(), z.unknown()).optional(),
  })
  .refine(({ uri, digest }) => uri !== undefined || digest !== undefined);
/** The fields of https://slsa.dev/spec/v1.0/provenance#schema that are used, and no other. */
const STATEMENT = z.strictObject({
  _type: z.literal("https://in-toto.io/Statement/v1"),
  subject: z.array(z.strictObject({ name: z.string().min(1), digest: SHA_256 })).min(1),
  predicateType: z.literal("https://slsa.dev/provenance/v1"),
  predicate: z.strictObject({
    buildDefinition: z.strictObject({
      buildType: z.url(),
      externalParameters: z.record(z.string(), z.unknown()),
      resolvedDependencies: z.array(RESOURCE),
    }),
    runDetails: z.strictObject({ builder: z.strictObject({ id: z.url() }) }),
  }),
});

const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");
const lock = readFileSync("package-lock.json");
const text = readFileSync("dist/provenance.json", "utf8");
const { subject, predicate } = STATEMENT.parse(JSON.parse(text));
const { resolvedDependencies: materials, ...definition } = predicate.buildDefinition;

/** A clone with one commit, of which the build reads a file. */
function clone() {
  const folder = mkdtempSync(join(tmpdir(), "clone-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const git = (...args: readonly string[]) => {
    const who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    return execFileSync("git", [...who, ...args], { cwd: folder, encoding: "utf8" }).trim();
  };
  git("init", "--quiet");
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/main.ts"), "one");
  writeFileSync(join(folder, "README.md"), "one");
  git("add", ".");
  git("commit", "--quiet", "--message", "One");
  return { folder, commit: git("rev-parse", "HEAD") };
}

describe("dist/provenance.json", () => {
  test("has the digest of each file that is published in dist, and of nothing else", () => {
    const below = (folder: string) => readdirSync(folder).map((name) => `${folder}/${name}`);
    const others = [
      "THIRD-PARTY-LICENSES",
      "cli.js",
      "lambda-tracing.mjs",
      "lambda.mjs",
      "sbom.cdx.json",
      "service.js",
    ];
    const folders = ["dist/cli", "dist/dashboard", "dist/service"];
    const published = [...others.map((name) => `dist/${name}`), ...folders.flatMap(below)];
    expect(subject.map(({ name }) => name)).toEqual(published.sort());
    for (const { name, digest } of subject) expect([name, digest.sha256]).toEqual([name, sha256(readFileSync(name))]);
  });

  test("names what it was built from: the packages by their lock file, the version of Node.js, the commit", () => {
    expect(materials.filter(({ name }) => name !== undefined)).toEqual([
      { name: "package-lock.json", digest: { sha256: sha256(lock) } },
      { name: "node", uri: `pkg:generic/node@${process.versions.node}` },
    ]);
    const [source] = materials.filter(({ name }) => name === undefined);
    if (source !== undefined)
      expect(source).toMatchObject({ uri: manifest.repository.url, digest: COMMIT.parse(source.digest) });
    expect(definition.externalParameters).toEqual({
      source: manifest.repository.url,
      version: manifest.version,
      command: "npm ci && npm run build",
    });
  });

  test("links the section of a page that explains it", () => {
    const [page = "", anchor] = definition.buildType.split("/blob/main/")[1]?.split("#") ?? [];
    expect(readFileSync(page, "utf8").toLowerCase()).toContain(`\n### ${anchor}\n`);
  });

  test("is the same whenever the same source is built, whatever order the files come in", () => {
    const files = subject.map(({ name }) => ({ name, content: readFileSync(name) })).reverse();
    const [source] = materials.filter(({ name }) => name === undefined);
    const commit = source?.digest === undefined ? undefined : COMMIT.parse(source.digest).gitCommit;
    const known = commit && { commit, isModified: source?.annotations?.["modified"] === true };
    const { node } = process.versions;
    expect(provenance({ manifest, source: known || undefined, lock, node, files })).toBe(text);
  });
});

describe("the commit of a build", () => {
  test("is that of its clone", async () => {
    const { folder, commit } = clone();
    expect(await sourceOf(folder)).toEqual({ commit, isModified: false });
  });

  test.each([
    ["changed", "src/main.ts", true],
    ["added", "src/more.ts", true],
    ["changed where the build does not look", "README.md", false],
  ])("is called modified if a file was %s", async (_, file, isModified) => {
    const { folder, commit } = clone();
    writeFileSync(join(folder, file), "two");
    const source = await sourceOf(folder);
    expect(source).toEqual({ commit, isModified });
    const made = STATEMENT.parse(
      JSON.parse(provenance({ manifest, source, lock, node: "20.0.0", files: [{ name: "a", content: lock }] })),
    );
    const [first] = made.predicate.buildDefinition.resolvedDependencies;
    expect(first).toEqual({
      uri: manifest.repository.url,
      digest: { gitCommit: commit },
      ...(isModified ? { annotations: { modified: true } } : {}),
    });
  });

  test("is not that of a clone around it", async () => {
    const { folder } = clone();
    expect(await sourceOf(join(folder, "src"))).toBeUndefined();
  });

  test("is left out where there is none", async () => {
    const folder = mkdtempSync(join(tmpdir(), "archive-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    expect(await sourceOf(folder)).toBeUndefined();
    const files = [{ name: "a", content: lock }];
    const made = JSON.parse(provenance({ manifest, source: undefined, lock, node: "20.0.0", files }));
    expect(made.predicate.buildDefinition.resolvedDependencies).toHaveLength(2);
  });
});
