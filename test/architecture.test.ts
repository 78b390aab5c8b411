import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { importCircles, sourceFiles } from "./support/source-tree.ts";

interface Part {
  /** The parts it may import. Its own files it always may. */
  readonly imports: readonly string[];
  /** The packages it may import; of Node's own modules only what is named here where `node` is given. */
  readonly packages: readonly string[];
}

const EVENT_SDK = ["@aws-sdk/client-auto-scaling", "@aws-sdk/client-sqs"];
const AWS_SDK = [
  "@aws-sdk/client-ec2",
  "@aws-sdk/client-elastic-load-balancing",
  "@aws-sdk/client-elastic-load-balancing-v2",
];

/**
 * The dependency rule: imports point at `drain`, never out of it, and the simulator meets the provider on the wire
 * alone. A new part, or a new package in one, is added here on purpose or not at all.
 */
const PARTS: Readonly<Record<string, Part>> = {
  drain: { imports: [], packages: ["node:crypto", "node:events", "node:net", "node:os"] },
  aws: {
    imports: ["drain"],
    packages: [
      ...AWS_SDK,
      ...EVENT_SDK,
      "@aws-sdk/client-sts",
      "@smithy/node-http-handler",
      "hpagent",
      "node:https",
      "node:stream",
    ],
  },
  // What is wrong with a cluster, by what the other parts have read.
  doctor: { imports: ["drain"], packages: [] },
  provider: { imports: ["drain", "aws", "doctor"], packages: [...AWS_SDK, "node:net", "node:timers"] },
  web: {
    imports: ["drain", "doctor"],
    packages: [
      "hono",
      "@hono/node-server",
      "@hono/zod-openapi",
      "zod",
      "node:crypto",
      "node:fs",
      "node:http",
      "node:https",
      "node:net",
      "node:tls",
      "node:util",
      "node:zlib",
    ],
  },
  // For browsers. Of the service it imports nothing but the types of answers.
  "web/dashboard": { imports: ["web"], packages: ["eventsource-parser", "preact", "zod"] },
  sources: { imports: ["drain", "aws", "doctor"], packages: [...EVENT_SDK, "node:http"] },
  ledger: { imports: ["drain"], packages: ["node:crypto", "node:fs", "node:net", "node:path"] },
  observe: {
    imports: ["drain"],
    packages: [
      "@opentelemetry/api",
      "@opentelemetry/core",
      "@opentelemetry/exporter-trace-otlp-proto",
      "@opentelemetry/resources",
      "@opentelemetry/sdk-trace-base",
      "node:crypto",
      "pino",
      "prom-client",
    ],
  },
  connections: { imports: ["drain"], packages: ["node:fs", "node:net"] },
  notify: {
    imports: ["drain"],
    packages: ["js-yaml", "mustache", "zod", "node:crypto", "node:http", "node:https"],
  },
  simulator: {
    imports: [],
    packages: [
      "@aws-sdk/client-sqs",
      "node:child_process",
      "node:crypto",
      "node:dgram",
      "node:events",
      "node:http",
      "node:https",
      "node:net",
      "node:readline",
      "node:stream",
      "yaml",
      "zod",
    ],
  },
  kubernetes: {
    imports: ["drain", "doctor"],
    packages: [
      "@kubernetes/client-node",
      "js-yaml",
      "node:buffer",
      "node:child_process",
      "node:crypto",
      "node:http",
      "node:https",
      "node:path",
      "node:zlib",
    ],
  },
  config: { imports: ["drain", "aws"], packages: ["node:crypto", "node:fs"] },
  app: {
    imports: [
      "drain",
      "aws",
      "doctor",
      "provider",
      "ledger",
      "web",
      "sources",
      "observe",
      "notify",
      "config",
      "kubernetes",
    ],
    packages: [],
  },
  lambda: { imports: ["drain", "aws", "sources", "observe", "config", "app"], packages: [] },
  demo: { imports: ["drain", "aws", "simulator", "config", "app"], packages: [...AWS_SDK, "node:http"] },
  cli: {
    imports: [
      "drain",
      "aws",
      "doctor",
      "ledger",
      "observe",
      "sources",
      "connections",
      "demo",
      "simulator",
      "config",
      "kubernetes",
      "app",
    ],
    packages: [
      "commander",
      "eventsource-parser",
      "listr2",
      "node:http",
      "node:https",
      "node:os",
      "node:util",
      "string-width",
      "wrap-ansi",
      "yaml",
      "zod",
    ],
  },
};

const files = sourceFiles("src");
/** One within another part. */
const DASHBOARD = "src/web/dashboard/";
const partOf = (path: string) => (path.startsWith(DASHBOARD) ? "web/dashboard" : (path.split("/")[1] ?? ""));

test("every source file belongs to a part that the rule knows", () => {
  expect(files.length).toBeGreaterThan(50);
  expect(files.map(({ path }) => partOf(path)).filter((part) => !(part in PARTS))).toEqual([]);
});

describe.each(Object.entries(PARTS))("%s", (name, { imports, packages }) => {
  const own = files.filter(({ path }) => partOf(path) === name);

  test("imports only the parts it may", () => {
    const allowed = new Set([name, ...imports]);
    const offending = own.flatMap(({ path, imports: found }) =>
      found.filter((imported) => !allowed.has(partOf(imported))).map((imported) => `${path} imports ${imported}`),
    );
    expect(offending).toEqual([]);
  });

  test("imports only the packages it may", () => {
    const offending = own.flatMap(({ path, packages: found }) =>
      found.filter((imported) => !packages.includes(imported)).map((imported) => `${path} imports ${imported}`),
    );
    expect(offending).toEqual([]);
  });

  test("needs every permission that it has", () => {
    const usedParts = new Set(own.flatMap((file) => file.imports.map(partOf)));
    const usedPackages = new Set(own.flatMap((file) => file.packages));
    expect(imports.filter((part) => !usedParts.has(part))).toEqual([]);
    expect(packages.filter((used) => !usedPackages.has(used))).toEqual([]);
  });
});

test("no file of src or bench imports itself, directly or through other files", () => {
  expect(importCircles([...files, ...sourceFiles("bench")])).toEqual([]);
});

test("every import of our own leads to a file that exists", () => {
  const paths = new Set(files.map(({ path }) => path));
  const leads = (imported: string) => paths.has(imported) || (imported.endsWith(".json") && existsSync(imported));
  expect(files.flatMap(({ imports }) => imports.filter((imported) => !leads(imported)))).toEqual([]);
});

const offending = (pattern: RegExp, isAllowed: (path: string) => boolean) =>
  files.filter(({ path, text }) => !isAllowed(path) && pattern.test(text)).map(({ path }) => path);

test("only a program's own start touches its process: environment, streams, signals and exit code", () => {
  const touched = /(?<!["/])\bprocess\.(env|argv|std(in|out|err)|exit|exitCode|on|once|off)\b/;
  // The target process is a program of its own, written as a text.
  const starts = ["src/cli/process.ts", "src/lambda/main.ts", "src/simulator/data-plane/target-process.ts"];
  const isComment = (line: string) => /^\s*(\/\*\*|\*|\/\/)/.test(line);
  const touching = files.filter(({ text }) => text.split("\n").some((line) => touched.test(line) && !isComment(line)));
  expect(touching.map(({ path }) => path).sort()).toEqual(starts);
});

test("only files named clock.ts know the time", () => {
  const time = /\bDate\.now\(|\bperformance\.now\(|new Date\(\)|(?<![.\w])(setTimeout|setInterval)\(/;
  // The target process is a program of its own, written as a text.
  const isAllowed = (path: string) => path.endsWith("/clock.ts") || path.endsWith("/target-process.ts");
  expect(offending(time, isAllowed)).toEqual([]);
});

test("nothing in the simulator is random but by its seed", () => {
  const random = /\bMath\.random\b|\brandom(UUID|Bytes|Int|FillSync|Fill)\b|getRandomValues/;
  const simulator = files.filter(({ path }) => path.startsWith("src/simulator/"));
  expect(simulator.length).toBeGreaterThan(100);
  expect(simulator.filter(({ text }) => random.test(text)).map(({ path }) => path)).toEqual([]);
});

test("only aws/errors.ts knows the names of AWS's errors", () => {
  const names =
    /"(AccessDenied|UnauthorizedOperation|Throttling|TargetGroupNotFound|InvalidInstance|InvalidTarget|ExpiredToken)"/;
  const isAllowed = (path: string) => path === "src/aws/errors.ts" || path.startsWith("src/simulator/");
  expect(offending(names, isAllowed)).toEqual([]);
});

const core = files.filter(({ path }) => path.startsWith("src/drain/"));

test("the core goes by the terms of a pool: it names no kind of load balancer, and has only the list of their labels", () => {
  const kinds = /\b(albs?|nlbs?|gwlbs?|classic|elb)\b/i;
  expect(core.filter(({ text }) => kinds.test(text)).map(({ path }) => path)).toEqual([
    "src/drain/load-balancer-kinds.ts",
  ]);
});

/** Where code of the core, other than comments, has a word of AWS, and why. A second cloud would change these. */
const WORDS_OF_AWS: Readonly<Record<string, string>> = {
  "src/drain/cluster.ts": "the form of a providerID, which names an instance",
  "src/drain/draining-registration.ts": "a sentence about an answer",
  "src/drain/plan.ts": "a sentence that advises an option",
  "src/drain/pod-targets.ts": "a sentence about addresses",
  "src/drain/request.ts": "the form of a providerID, which a caller may send",
};

test("the core has words of AWS only where they are listed", () => {
  const words = /\b(AWS|EC2|SQS|Auto Scaling|IAM|VPC|ARN|DISCOVERY|OTHER_VPCS|QUOTA_SHARE|NLB_FAST_PATH)\b|aws:/;
  const code = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  expect(core.filter(({ text }) => words.test(code(text))).map(({ path }) => path)).toEqual(Object.keys(WORDS_OF_AWS));
});

const lines = (text: string) => text.split("\n").length - 1;

test("no file is longer than 400 lines, and none has a name that explains nothing", () => {
  const all = [...files, ...sourceFiles("bench")];
  expect(all.filter(({ text }) => lines(text) > 400).map(({ path }) => path)).toEqual([]);
  expect(
    files.map(({ path }) => path).filter((path) => /\/(utils?|helpers?|common|misc|types|interfaces)[./]/.test(path)),
  ).toEqual([]);
});

/** What may have fewer than 30 lines, and why. Everything else belongs into the file that uses it. */
const SHORT: Readonly<Record<string, string>> = {
  "src/aws/event-clients.ts": "a seam: whatever needs neither queue nor hooks does not load these two SDKs",
  "src/cli/completion.ts": "one of the row of verbs, each loaded alone",
  "src/cli/demo.ts": "one of the row of verbs, each loaded alone",
  "src/cli/drain.ts": "one of the row of verbs, each loaded alone",
  "src/cli/main.ts": "an entry point",
  "src/cli/plan.ts": "one of the row of verbs, each loaded alone",
  "src/cli/process.ts": "a seam: where a run meets the process, which only the entry points have",
  "src/cli/rbac.ts": "one of the row of verbs, each loaded alone",
  "src/cli/run-service.ts": "the verbs of the service's bundle, beside those of the command line's",
  "src/cli/serve.ts": "one of the row of verbs, each loaded alone",
  "src/cli/service-main.ts": "an entry point",
  "src/cli/status.ts": "one of the row of verbs, each loaded alone",
  "src/cli/version.ts": "a constant that the build replaces",
  "src/cli/yaml-text.ts": "a seam: the library for YAML is loaded where that is asked for",
  "src/cli/watching.ts": "a seam: what both ways of watching get, each loaded alone",
  "src/drain/load-balancer-kinds.ts":
    "a seam: all that the core knows of load balancers, to which a cloud adds its labels",
  "src/kubernetes/condition.ts": "what a watch and its readers both wait by",
  "src/kubernetes/connect.ts": "a seam: what is loaded when a cluster is configured, and the library with it",
  "src/kubernetes/objects.ts": "a seam: the library's types, as JSON has them",
  "src/lambda/clock.ts": "an implementation of the seam Clock",
  "src/lambda/main.ts": "an entry point",
  "src/web/dashboard/bar.tsx": "what all that has a length is drawn with",
  "src/web/dashboard/clock.ts": "a seam: the browser's time",
  "src/web/dashboard/credential.ts": "a seam: what the browser keeps",
  "src/web/dashboard/main.tsx": "an entry point",
  "src/web/dashboard/reports.ts": "a seam: the types of answers, without the code that describes them",
  "src/simulator/api/sts.ts": "one of the row of simulated APIs, each with its table of actions",
  "src/observe/service-log.ts": "a seam: the Lambda function logs without the library that the service logs with",
};
/** A file for each kind. */
const KINDS = ["src/sources/cluster/", "src/sources/events/", "src/sources/metadata/"];
const ROWS = [...KINDS, "src/cli/verbs/"];

test("no file is shorter than 30 lines but seams, entry points and rows of kinds", () => {
  const short = files.filter(({ text }) => lines(text) < 30).map(({ path }) => path);
  expect(short.filter((path) => !(path in SHORT) && !ROWS.some((row) => path.startsWith(row)))).toEqual([]);
});

test("each file of a row of kinds that is shorter than 30 lines exports one kind", () => {
  const rows = files.filter(({ path, text }) => lines(text) < 30 && KINDS.some((row) => path.startsWith(row)));
  const kind = /export const \w+: (EventBridgeKind|MetadataKind|NodeKind) = /;
  expect(rows.filter(({ text }) => !kind.test(text)).map(({ path }) => path)).toEqual([]);
});

test("a function has 70 lines at most: the linter says so", () => {
  const { overrides } = JSON.parse(readFileSync("biome.json", "utf8"));
  expect(overrides).toContainEqual({
    includes: ["src/**"],
    linter: {
      rules: { complexity: { noExcessiveLinesPerFunction: { level: "error", options: { maxLines: 70 } } } },
    },
  });
});

/**
 * Promises whose end nothing waits for. Each deals with its own failures, so that none can end the process as an
 * unhandled rejection. The linter refuses a promise that is neither awaited nor marked with `void`.
 */
const DROPPED: readonly string[] = [
  "src/aws/request-quota.ts: this.#grant",
  "src/cli/hold.ts: interrupted.then",
  "src/cli/live-lines.ts: this.#tick",
  "src/cli/plain-lines.ts: this.#waiting.run",
  "src/cli/watch-remotely.ts: asked.finally",
  "src/drain/drain-guard.ts: run.asked.insisted.then",
  "src/drain/exclusion.ts: inTurn",
  "src/drain/node-watch.ts: this.#watch",
  "src/drain/work-turns.ts: this.#clock.turn",
  "src/kubernetes/node-pods.ts: this.#prove",
  "src/kubernetes/pace.ts: this.#wake",
  "src/ledger/file-ledger.ts: this.#write",
  "src/ledger/folder-lock.ts: this.check",
  "src/ledger/ledger-file.ts: closeIfUnused",
  "src/provider/joined-answers.ts: read",
  "src/provider/membership-index.ts: told.then",
  "src/sources/message-batches.ts: this.#together",
  "src/sources/sqs-queue.ts: clock.sleep",
  "src/sources/visibility.ts: this.#extend",
  "src/web/dashboard/app.tsx: run",
  "src/web/dashboard/following.ts: this.#watch",
  "src/web/dashboard/past.tsx: read",
  "src/web/overview.ts: this.#tell",
  "src/web/relay.ts: reader.cancel",
  "src/web/reread.ts: work.then",
  "src/web/server.ts: answer",
];
/** They return no promise. */
const SYNCHRONOUS = /\.(write|push|destroy|setTimeout|off)$/;

test("every promise that nothing waits for is known to handle its failures", () => {
  const found = files
    .filter(({ path }) => !/^src\/(simulator|demo)\//.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/(?:^\s*|=> |\) )void ([\w.#]+)\(/gm)]
        .filter(([, callee = ""]) => !SYNCHRONOUS.test(callee))
        .map(([, callee]) => `${path}: ${callee}`),
    );
  expect([...new Set(found)].sort()).toEqual(DROPPED);
});
