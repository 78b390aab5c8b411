import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { account, ID } from "../support/account.ts";
import { loadedBy } from "../support/loaded-modules.ts";

/** Kilobytes of JavaScript that a start may load. All that the command line has are 1,600. */
const HELP_KB_MAX = 138;
const SERVER_KB_MAX = 160;
const AWS_KB_MAX = 615;
const SERVICE_KB_MAX = 1_230;
/** Files of it: Node takes a millisecond for each. */
const HELP_FILES_MAX = 8;
const FILES_MAX = 28;

const NOWHERE = ["--server", "http://127.0.0.1:1"];
/** What costs most to load: schemas, clients, the terminal, the service. */
const HEAVY =
  /node_modules\/(zod|hono|@hono|pino|prom-client|listr2|string-width|wrap-ansi|eventsource-parser|yaml|js-yaml|@kubernetes|@aws-sdk|@smithy)\//;

describe("a start loads only what its verb needs:", () => {
  test.each<[name: string, args: readonly string[], code: number, kilobytesMax: number, spare: RegExp]>([
    ["--help", ["--help"], 0, HELP_KB_MAX, HEAVY],
    ["--version", ["--version"], 0, HELP_KB_MAX, HEAVY],
    ["a verb's help", ["plan", "--help"], 0, HELP_KB_MAX, HEAVY],
    ["a wrong verb", ["plam"], 2, HELP_KB_MAX, HEAVY],
    ["a wrong argument", ["status", "i-abc"], 2, HELP_KB_MAX, HEAVY],
    ["policy", ["policy"], 0, HELP_KB_MAX, HEAVY],
    ["rbac", ["rbac"], 0, HELP_KB_MAX, HEAVY],
    ["status through a service", ["status", ID, ...NOWHERE], 1, SERVER_KB_MAX, HEAVY],
    ["drain through a service", ["drain", ID, ...NOWHERE], 1, SERVER_KB_MAX, HEAVY],
  ])("%s", async (_, args, code, kilobytesMax, spare) => {
    const started = await loadedBy(args, { SECRET: "a-secret-of-the-start" });
    expect(started.code).toBe(code);
    expect(started.files[0]).toBe("dist/cli.js");
    expect(started.inputs).toContain("src/cli/main.ts");
    expect(started.inputs.filter((input) => spare.test(input))).toEqual([]);
    expect(started.builtins).toContain("fs");
    // Commander's, for verbs that are programs by themselves.
    expect(started.builtins).not.toContain("child_process");
    expect(started.bytes).toBeLessThan(kilobytesMax * 1_000);
    expect(started.files.length).toBeLessThanOrEqual(kilobytesMax === HELP_KB_MAX ? HELP_FILES_MAX : FILES_MAX);
  });

  test("status by itself needs AWS's clients, and no schemas, service or terminal", async () => {
    const { env } = await account();
    const started = await loadedBy(["status", ID], env);
    expect(started.code).toBe(0);
    expect(started.inputs.some((input) => input.includes("@aws-sdk/client-ec2/"))).toBe(true);
    const spare = /node_modules\/(zod|hono|@hono|pino|prom-client|listr2|yaml|@aws-sdk\/client-(sqs|auto-scaling))\//;
    expect(started.inputs.filter((input) => spare.test(input))).toEqual([]);
    expect(started.bytes).toBeLessThan(AWS_KB_MAX * 1_000);
    expect(started.files.length).toBeLessThanOrEqual(FILES_MAX);
  });
});

interface Output {
  readonly inputs: object;
  readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: true }[];
}

/** The bundles that are loaded at once with the one that has `input`, of those whose names begin with `prefix`. */
function loadedWith(input: string, prefix: string) {
  const { outputs } = JSON.parse(readFileSync("dist/meta.json", "utf8")) as {
    readonly outputs: Readonly<Record<string, Output>>;
  };
  const first = Object.keys(outputs).filter(
    (path) => path.startsWith(prefix) && input in (outputs[path]?.inputs ?? {}),
  );
  expect(first).toHaveLength(1);
  const loaded = new Set(first);
  for (const path of loaded)
    for (const one of outputs[path]?.imports ?? [])
      if (one.external !== true && one.kind === "import-statement") loaded.add(one.path);
  return { files: [...loaded], inputs: [...loaded].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {})) };
}

test("the service starts without the simulator and the terminal, and without Kubernetes where it has none", () => {
  const { files, inputs } = loadedWith("src/cli/service-main.ts", "dist/service.js");
  expect(inputs.length).toBeGreaterThan(100);
  const spare = /src\/(simulator|demo|kubernetes)\/|node_modules\/(listr2|yaml|@kubernetes|js-yaml)\//;
  expect(inputs.filter((input) => spare.test(input))).toEqual([]);
  const bytes = files.map((path) => readFileSync(path).length).reduce((sum, length) => sum + length);
  expect(bytes).toBeLessThan(SERVICE_KB_MAX * 1_000);
});

test("the agent of the command line loads what serves its metrics only where METRICS_PORT is set", () => {
  const { inputs } = loadedWith("src/cli/watch.ts", "dist/cli/");
  expect(inputs).toContain("src/sources/metadata-watch.ts");
  expect(inputs.filter((input) => /node_modules\/(prom-client|hono|@hono)\//.test(input))).toEqual([]);
});
