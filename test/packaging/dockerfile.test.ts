import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Child } from "../support/child-process.ts";
import { only, readStage, readStages, type Stage } from "../support/dockerfile.ts";
import { Image } from "../support/image.ts";

const stages = readStages();
const build = readStage("build");
const final = stages.filter(({ name }) => name !== build.name);
const copies = (stage: Stage) => stage.instructions.filter(({ keyword }) => keyword === "COPY");
/** What a stage takes from the clone. */
const sourcesOf = (stage: Stage) =>
  copies(stage)
    .filter(({ flags }) => !("from" in flags))
    .flatMap(({ words }) => words.slice(0, -1));

/** The file, or the files in the folder. */
const filesAt = (path: string) =>
  statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];

test("what `docker build` makes without a target is the service", () => {
  expect(stages.map(({ name }) => name)).toEqual(["build", "simulator", "service"]);
});

test("the build is given exactly what it asks for, and all of it exists", () => {
  const sources = [...new Set(stages.flatMap(sourcesOf))].sort();
  expect(sources.filter((source) => !existsSync(source))).toEqual([]);
  const [first, ...admitted] = readFileSync(".dockerignore", "utf8")
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("#"));
  expect(first).toBe("*");
  expect(admitted.map((line) => line.replace("!", "")).sort()).toEqual(sources);
});

test("what the build stage copies is enough to build the very bundles that are tested", () => {
  const folder = mkdtempSync(join(tmpdir(), "build-stage-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const source of sourcesOf(build)) cpSync(source, join(folder, source), { recursive: true });
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  const commands = build.instructions.filter(({ keyword }) => keyword === "RUN").map(({ words }) => words.join(" "));
  expect(commands).toEqual(["npm ci --ignore-scripts --no-audit --no-fund", "npm run build"]);
  execFileSync("npm", ["run", "--silent", "build"], { cwd: folder });
  for (const { words } of final.flatMap(copies)) {
    const [source = ""] = words;
    if (!source.startsWith("/build/")) continue;
    for (const file of filesAt(source.replace("/build/", ""))) {
      const isSame = readFileSync(join(folder, file)).equals(readFileSync(file));
      expect({ file, isSame }).toEqual({ file, isSame: true });
    }
  }
});

test("the build runs on the builder's own architecture, with the Node that the image has", () => {
  expect(build.flags).toEqual({ platform: "$BUILDPLATFORM" });
  const major = /^node:(\d+)\.\d+\.\d+-/.exec(build.image)?.[1];
  expect(major).toBeDefined();
  for (const { image, flags } of final) {
    expect(image).toBe(`gcr.io/distroless/nodejs${major}-debian12:nonroot`);
    expect(flags).toEqual({});
  }
});

describe.each(final)("the image $name", (stage) => {
  test("is run by an ordinary user, named by a number, and runs nothing to be made", () => {
    const [uid, gid] = (only(stage, "USER").words[0] ?? "").split(":");
    expect(Number(uid)).toBeGreaterThan(0);
    expect(Number(gid)).toBeGreaterThan(0);
    expect(stage.instructions.filter(({ keyword }) => ["RUN", "ADD", "ENV"].includes(keyword))).toEqual([]);
  });

  test("has one program and the licences of everything in it", () => {
    const sources = copies(stage).map(({ words }) => words[0]);
    expect(sources.filter((source) => source?.endsWith(".js"))).toHaveLength(1);
    expect(sources).toContain("/build/dist/THIRD-PARTY-LICENSES");
    expect(sources).toContain("LICENSE");
  });

  test("starts from what was copied into it, where nothing can be written", async () => {
    const image = await Image.of(stage.name);
    const { code, stdout, stderr } = await new Child(image.program(["--help"]), []).finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: hasta-la-vista/);
  });
});

describe("the health check", () => {
  test("of the service is well while the service answers, and only then", async () => {
    const image = await Image.of("service");
    const service = new Child(image.program(), [], {
      SECRET: "api-key",
      CLOUDPROVIDER: "aws",
      HOST: "127.0.0.1",
      PORT: "0",
    });
    const { port } = JSON.parse(await service.line(/"listening"/));
    const check = () => new Child(image.healthCheck(), [], { PORT: String(port) }).finished;
    expect(await check()).toMatchObject({ code: 0, stderr: "" });
    service.signal("SIGTERM");
    expect(await service.finished).toMatchObject({ code: 0 });
    expect(await check()).toMatchObject({ code: 1, stderr: "" });
  });

  test("of the simulator is well while the region is ready, which ends by SIGTERM", async () => {
    const image = await Image.of("simulator");
    const anyPort = (words: readonly string[]) =>
      words.map((word) => ({ "0.0.0.0": "127.0.0.1", "4566": "0", "4600": "0" })[word] ?? word);
    const region = new Child(image.program(anyPort(only(image.stage, "CMD").words)), []);
    await region.line(/^# Ready/);
    const [, port = ""] = /ENDPOINT_URL=http:\/\/127\.0\.0\.1:(\d+)/.exec(region.output) ?? [];
    const asked = image.healthCheck();
    const check = { ...asked, command: asked.command.map((word) => word.replace("4566", port)) };
    expect(await new Child(check, []).finished).toMatchObject({ code: 0, stderr: "" });
    region.signal("SIGTERM");
    expect(await region.finished).toMatchObject({ code: 0, stderr: "" });
    expect(await new Child(check, []).finished).toMatchObject({ code: 1, stderr: "" });
  });

  test("asks where the image listens by default", () => {
    const { words } = only(readStage("service"), "HEALTHCHECK");
    expect(words.at(-1)).toContain(`process.env.PORT || ${only(readStage("service"), "EXPOSE").words[0]}`);
    const simulator = readStage("simulator");
    const port = only(simulator, "EXPOSE").words[0] ?? "";
    expect(only(simulator, "HEALTHCHECK").words.at(-1)).toContain(`http://127.0.0.1:${port}`);
    expect(only(simulator, "CMD").words.slice(-2)).toEqual(["--port", port]);
  });
});
