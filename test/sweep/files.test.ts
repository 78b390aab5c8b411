import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { kubeconfig } from "../support/api-client.ts";
import { Authority } from "../support/certificates.ts";
import { Child } from "../support/child-process.ts";
import type { Finished } from "../support/program-run.ts";
import { runHere } from "../support/run-here.ts";

/** Where a file comes in: a row more for a new one. */
interface Door {
  /** What goes before what is wrong with the file at `path`. */
  readonly prefix: (path: string) => string;
  readonly bytesMax: number;
  readonly run: (path: string) => Promise<Finished>;
}

const SERVE = { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0" };
const authority = new Authority();
const server = authority.sign("server");
const folder = mkdtempSync(join(tmpdir(), "tls-"));
afterAll(() => rmSync(folder, { recursive: true }));
const kept = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const TLS = {
  ...SERVE,
  SECRET: "a-secret-nobody-may-see",
  TLS_CERT_FILE: kept("cert", server.cert),
  TLS_KEY_FILE: kept("key", server.key),
};
/** No server is asked before the service listens. */
const GATE = {
  ...SERVE,
  SECRET: "a-secret-nobody-may-see",
  UNDO: "true",
  KUBERNETES: kept("kubeconfig", kubeconfig({ server: "https://127.0.0.1:1", ca: authority.cert })),
  EVICTION_GATE: "true",
  EVICTION_GATE_CERT_FILE: TLS.TLS_CERT_FILE,
  EVICTION_GATE_KEY_FILE: TLS.TLS_KEY_FILE,
};

const DOORS: Readonly<Record<string, Door>> = {
  SECRET_FILE: {
    prefix: (path) => `SECRET_FILE is '${path}', which can't be used: `,
    bytesMax: 16_384,
    run: (path) => runHere([], { ...SERVE, SECRET_FILE: path }, { program: "service" }),
  },
  "--secret-file": {
    prefix: (path) => `--secret-file is '${path}', which can't be used: `,
    bytesMax: 16_384,
    run: (path) => runHere(["--secret-file", path], SERVE, { program: "service" }),
  },
  TLS_CERT_FILE: {
    prefix: (path) => `TLS_CERT_FILE is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere([], { ...TLS, TLS_CERT_FILE: path }, { program: "service" }),
  },
  "--tls-key-file": {
    prefix: (path) => `--tls-key-file is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere(["--tls-key-file", path], TLS, { program: "service" }),
  },
  EVICTION_GATE_CERT_FILE: {
    prefix: (path) => `EVICTION_GATE_CERT_FILE is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere([], { ...GATE, EVICTION_GATE_CERT_FILE: path }, { program: "service" }),
  },
  "--eviction-gate-key-file": {
    prefix: (path) => `--eviction-gate-key-file is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere(["--eviction-gate-key-file", path], GATE, { program: "service" }),
  },
  NOTIFICATIONS_FILE: {
    prefix: (path) => `NOTIFICATIONS_FILE is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere([], { ...TLS, NOTIFICATIONS_FILE: path }, { program: "service" }),
  },
  "--notifications-file": {
    prefix: (path) => `--notifications-file is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere(["--notifications-file", path], TLS, { program: "service" }),
  },
  KUBERNETES: {
    prefix: (path) => `KUBERNETES is '${path}', which can't be used: `,
    bytesMax: 4_194_304,
    run: (path) => runHere([], { ...TLS, UNDO: "true", KUBERNETES: path }, { program: "service" }),
  },
  "--kubernetes": {
    prefix: (path) => `--kubernetes is '${path}', which can't be used: `,
    bytesMax: 4_194_304,
    run: (path) => runHere(["--kubernetes", path, "--undo"], TLS, { program: "service" }),
  },
  TLS_CLIENT_CA_FILE: {
    prefix: (path) => `TLS_CLIENT_CA_FILE is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere([], { ...TLS, TLS_CLIENT_CA_FILE: path }, { program: "service" }),
  },
  "--server's TLS_CERT_FILE": {
    prefix: (path) => `TLS_CERT_FILE is '${path}', which can't be used: `,
    bytesMax: 1_048_576,
    run: (path) => runHere(["status", "10.0.1.5", "--server", "https://127.0.0.1:1"], { ...TLS, TLS_CERT_FILE: path }),
  },
  "--token-file": {
    prefix: (path) => `--token-file is '${path}', which can't be used: `,
    bytesMax: 16_384,
    run: (path) => runHere(["status", "10.0.1.5", "--server", "http://127.0.0.1:1", "--token-file", path]),
  },
  "cancel --from": {
    prefix: (path) => `--from is '${path}', which can't be used: `,
    bytesMax: 16_777_216,
    run: (path) => runHere(["cancel", "--undo", "--from", path]),
  },
  "--scenario": {
    prefix: (path) => `${path} can't be read: `,
    bytesMax: 1_048_576,
    run: (path) => runHere(["simulate", "--scenario", path]),
  },
};
/** What is wrong with a file, wherever it is asked for: how it is made, and what is said of it. */
const FILES: readonly [what: string, make: (path: string, bytesMax: number) => unknown, says: string | RegExp][] = [
  ["one that is not there", () => {}, /^there is no such file \(ENOENT\)$/],
  ["a directory", (path) => mkdir(path), /^it is a directory: give a file \(EISDIR\)$/],
  ["a binary", (path) => writeFile(path, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff, 0])), "it is not text in UTF-8"],
  ["text in Latin-1", (path) => writeFile(path, "größe", "latin1"), "it is not text in UTF-8"],
  ["text in UTF-16", (path) => writeFile(path, "\ufeffregion", "utf16le"), "it is not text in UTF-8"],
  ["text with a NUL", (path) => writeFile(path, "re\0gion"), "it is not text in UTF-8"],
  [
    "one byte too much",
    (path, max) => writeFile(path, "x".repeat(max + 1)),
    /^it is larger than \d+ bytes: give a smaller file$/,
  ],
];

/** Files of every Linux that nobody has to make. */
const DEVICES: readonly [what: string, path: string, says: RegExp][] = [
  ["one without an end", "/dev/zero", /^it is larger than \d+ bytes: give a smaller file$/],
  ["one that can't be read, even by root", "/proc/self/mem", /^the operating system can't read it \(EIO\)$/],
];

async function place(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "swept-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "file");
}

function expectRefusal({ code, stdout, stderr }: Finished, prefix: string, says: string | RegExp): void {
  expect(stderr.startsWith(`hasta-la-vista: ${prefix}`)).toBe(true);
  const said = stderr.slice(`hasta-la-vista: ${prefix}`.length, -1);
  if (typeof says === "string") expect(said).toBe(says);
  else expect(said).toMatch(says);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
}

describe.each(Object.entries(DOORS))("%s names the file and what is wrong with it:", (_, { prefix, bytesMax, run }) => {
  test.each(FILES)("%s", async (_what, make, says) => {
    const path = await place();
    await make(path, bytesMax);
    expectRefusal(await run(path), prefix(path), says);
  });

  test.each(DEVICES)("%s", async (_what, path, says) => {
    expectRefusal(await run(path), prefix(path), says);
  });

  test.skipIf(process.getuid?.() === 0)("one that this user may not read", async () => {
    const path = await place();
    await writeFile(path, "x");
    await chmod(path, 0);
    expectRefusal(await run(path), prefix(path), /^this user has no permission to read it \(EACCES\)$/);
  });
});

describe("SECRET_FILE holds no secret", () => {
  const LINE = "give at most 4096 characters, and no control characters";
  test.each([
    ["when it is empty", "", "it is empty"],
    ["when it is blank", " \n", "it is empty"],
    ["when it has an empty line alone", "\n\r\n", "it is empty"],
    ["when one of its lines has an escape sequence", "a-good-secret\n\u001b[31m", LINE],
    ["when one of its lines is longer than a header can carry", `a-good-secret\n${"x".repeat(4_097)}`, LINE],
  ])("%s", async (_, text, says) => {
    const path = await place();
    await writeFile(path, text);
    const { prefix, run } = DOORS["SECRET_FILE"] as Door;
    expectRefusal(await run(path), prefix(path), says);
  });
});

describe("STATE_DIR names the directory and what is wrong with it:", () => {
  test.each<[string, (path: string) => unknown, string | undefined, string | RegExp]>([
    ["one that is not there", () => {}, undefined, "the directory does not exist: create it"],
    ["a file", (path) => writeFile(path, ""), undefined, "it is not a directory"],
    ["a device", () => {}, "/dev/null", "it is not a directory"],
    [
      "one where nobody may write, not even root",
      () => {},
      "/proc/self",
      /^(this user has no permission to write there|the operating system)/,
    ],
  ])("%s", async (_, make, given, says) => {
    const path = given ?? (await place());
    await make(path);
    for (const [name, args, environment] of [
      ["STATE_DIR", [], { STATE_DIR: path }],
      ["--state-dir", ["--state-dir", path], {}],
    ] as const) {
      const secret = { SECRET: "a secret of the sweep" };
      const finished = await runHere(args, { ...SERVE, ...secret, ...environment }, { program: "service" });
      expectRefusal(finished, `${name} is '${path}', which can't be used: `, says);
    }
  });
});

describe("the service's TLS is refused", () => {
  const encrypted = generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;
  const broken = server.cert.replace(/\n[A-Za-z0-9+/]{64}/, "");
  test.each<[string, "TLS_CERT_FILE" | "TLS_KEY_FILE" | "TLS_CLIENT_CA_FILE", string, string]>([
    ["when its certificate is empty", "TLS_CERT_FILE", "", "it contains no PEM certificate"],
    ["when its certificate is a key", "TLS_CERT_FILE", server.key, "it contains no PEM certificate"],
    ["when its certificate is cut", "TLS_CERT_FILE", broken, "it contains a malformed certificate"],
    ["when its key is a certificate", "TLS_KEY_FILE", server.cert, "it contains no PEM private key"],
    [
      "when its key needs a passphrase",
      "TLS_KEY_FILE",
      encrypted,
      "its key is encrypted: give a key without a passphrase",
    ],
    [
      "when its key is another certificate's",
      "TLS_KEY_FILE",
      authority.sign("other").key,
      "it is not the private key of the certificate in TLS_CERT_FILE",
    ],
    ["when its clients' authority is none", "TLS_CLIENT_CA_FILE", "-----", "it contains no PEM certificate"],
    [
      "when one of several authorities is cut",
      "TLS_CLIENT_CA_FILE",
      authority.cert + broken,
      "it contains a malformed certificate",
    ],
  ])("%s", async (_, variable, text, says) => {
    const path = await place();
    await writeFile(path, text);
    const finished = await runHere([], { ...TLS, [variable]: path }, { program: "service" });
    expectRefusal(finished, `${variable} is '${path}', which can't be used: `, says);
    expect(finished.stderr).not.toContain("PRIVATE");
  });

  test("together with its secret, when both are wrong", async () => {
    const nowhere = { ...TLS, SECRET: undefined, SECRET_FILE: "/nonexistent/secret", TLS_KEY_FILE: "/nonexistent/key" };
    const { stderr } = await runHere([], nowhere, { program: "service" });
    expect(stderr).toMatch(/^hasta-la-vista: 2 problems:\n {2}SECRET_FILE is .*ENOENT.*\n {2}TLS_KEY_FILE is .*ENOENT/);
  });
});

/** What `drain --json` has printed, and what is said where it is something else. */
describe("cancel --from says of a file that no drain has printed what is wrong with it", () => {
  const node = { id: "i-0123456789abcdef0", name: "n", network: "vpc-1" };
  const result = { kind: "alb", pool: "web", poolId: "arn", target: "i-1:80", state: "holding", deregistered: true };
  const drain = (change: object, more: object = {}) =>
    JSON.stringify({ status: "drained", drainId: "d-1", node, registrations: [{ ...result, ...change }], ...more });
  test.each<[string, string, RegExp]>([
    ["when it is empty", "", /it is not JSON$/],
    ["when it is no JSON", "drained", /it is not JSON$/],
    ["when it is a list", "[]", /it is not an object$/],
    ["when it is null", "null", /it is not an object$/],
    [
      "when it is another object",
      '{"error": {"code": "usage"}}',
      /drainId: is missing: it must be a text; node: is missing: it must be an object; registrations: is missing/,
    ],
    ["when it is nested too deeply", "[".repeat(100_000), /it is not JSON$/],
    ["when it is a plan", '{"node": {}, "registrations": []}', /drainId: .*node\.id: /],
    ["when an older version has printed it", drain({ poolId: undefined }), /registrations\[0\]\.poolId: /],
    ["when nobody says who has deregistered", drain({ deregistered: undefined }), /registrations\[0\]\.deregistered: /],
    ["when a kind is none", drain({ kind: "elb" }), /registrations\[0\]\.kind: /],
    ["when a port is none", drain({ listed: { Id: "i-1", Port: 70_000 } }), /registrations\[0\]\.listed\.Port: /],
    [
      "when a target has more than AWS takes",
      drain({ listed: { Id: "i-1", X: 1 } }),
      /registrations\[0\]\.listed: unknown key 'X': the keys here are /,
    ],
    ["when a name is an escape sequence", drain({ pool: "\u001b[31m" }), /\.pool: give no control characters$/],
    ["when its node is none", drain({}, { node: { ...node, id: "node" } }), /node\.id: give an instance id$/],
    ["when everything is wrong", drain({}, { registrations: Array(50).fill({}) }), /; and \d+ more$/],
  ])("%s", async (_, text, says) => {
    const path = await place();
    await writeFile(path, text);
    const prefix = `--from is '${path}', which can't be used: it is not the output of 'drain --json': `;
    expectRefusal(await runHere(["cancel", "--undo", "--from", path]), prefix, says);
  });
});

/** A scenario as text, and what is said after the file's name. */
describe("--scenario says of a file that is no scenario what one needs", () => {
  const NEEDED = /a scenario is an object, at least \{\} for an empty region; docs\/scenarios has examples/;
  const levels = "abcdefgh".split("");
  const bomb = levels.map((name, index) => `${name}: &${name} [${`*${levels[index - 1]},`.repeat(9)}]`);
  test.each<[string, string, RegExp]>([
    ["when it is empty", "", /^the file contains no scenario: a scenario is an object, at least \{\}/],
    ["when it holds a comment alone", "# a region\n", /^the file contains no scenario: /],
    ["when it is null", "null", NEEDED],
    ["when it is a list", "- a", NEEDED],
    ["when it is a number", "5", NEEDED],
    ["when it is a text", "a region", NEEDED],
    [
      "when it is no YAML",
      "a: [",
      /^line 1, column 5: the indentation is wrong, or a closing bracket is missing: correct it\. The line is 'a: \['$/,
    ],
    [
      "when a line is indented with a tab",
      "faults:\n\t- {}",
      /^line 2, column 1: the line is indented with a tab: use spaces\. The line is '\?- \{\}'$/,
    ],
    [
      "when a value has a colon and no quotes",
      "region: a: b",
      /^line 1, column 9: .*: .* put the value in quotes\. The line is 'region: a: b'$/,
    ],
    [
      "when a quote is missing",
      "region: 'a",
      /^line 1, column 11: a quote, .* is missing, .*: correct it\. The line is 'region: 'a'$/,
    ],
    [
      "when it has a directive of another language",
      "%FOO\n---\n{}",
      /^line 1, column 1: this is not valid YAML \(BAD_DIRECTIVE\)/,
    ],
    ["when it holds two documents", "{}\n---\n{}", /^it contains several documents, separated by ---: give one$/],
    [
      "when it has a tag that nobody knows",
      'region: !!js/function "x"',
      /^line 1, column 9: the tag is not known, .*: remove it\. The line is /,
    ],
    [
      "when it has a key twice",
      "region: eu-west-1\nregion: eu-west-2",
      /^line 2, column 1: the key is given twice: remove one\. The line is '.*region"?: .*'$/,
    ],
    [
      "when it has a key twice in JSON",
      '{"region": "a", "region": "b"}',
      /^line 1, column \d+: the key is given twice: remove one\. The line is '.*region"?: .*'$/,
    ],
    [
      "when an alias leads nowhere",
      "instances: *nodes",
      /^the alias \*nodes has no anchor &nodes before it: define the anchor, /,
    ],
    ["when an alias leads to itself", "instances: &a [*a]", /^instances\[0\]: /],
    [
      "when aliases multiply",
      `a: &a [x]\n${bomb.slice(1).join("\n")}`,
      /^it has too many aliases, .*: write out the values$/,
    ],
    [
      "when it is nested too deeply",
      `instances: ${"[".repeat(5_000)}${"]".repeat(5_000)}`,
      /^it is nested too deeply$/,
    ],
    ["when it is JSON, nested too deeply", `{"a":${"[".repeat(50_000)}`, /^it is nested too deeply$/],
    ["when lists are nested too deeply in a line", `instances: \n ${"- ".repeat(5_000)}`, /^it is nested too deeply$/],
    [
      "when it is nested too deeply by indentation",
      Array.from({ length: 300 }, (_, level) => `${" ".repeat(level)}a:\n`).join(""),
      /^it is nested too deeply$/,
    ],
    [
      "when it is nested as deeply as can be read",
      `a: ${"[".repeat(90)}${"]".repeat(90)}`,
      /^unknown key 'a': the keys here are region, accountId, .*, dataPlane$/,
    ],
    [
      "when it has a field named __proto__",
      "__proto__: { region: x }",
      /^unknown key '__proto__': the keys here are region, /,
    ],
    ["when a key is an escape sequence", '"\\e[31m": 1', /^unknown key '\?\[31m': the keys here are region, /],
    ["when a key is an object", "{ region: x }: 1", /^unknown key '\{ region: x \}': the keys here are region, /],
    [
      "when a number is out of reach",
      "instances: [{ name: a, count: 1e309 }]",
      /^instances\[0\]\.count: Infinity is not a number$/,
    ],
    [
      "when a text is in place of a number",
      "instances: [{ name: a, count: two }]",
      /^instances\[0\]\.count: 'two' is not a number$/,
    ],
  ])("%s", async (_, text, says) => {
    const path = await place();
    await writeFile(path, text);
    expectRefusal(await runHere(["simulate", "--scenario", path]), `${path}: `, says);
  });

  test("with twenty problems at most, each with its place, and how many more there are", async () => {
    const path = await place();
    await writeFile(path, `instances: [${"{}, ".repeat(30)}]`);
    const { code, stderr } = await runHere(["simulate", "--scenario", path]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).toBe("hasta-la-vista: 30 problems:");
    expect(lines[20]).toMatch(/^ {2}\S+: instances\[19\]\.name: is missing: it must be a text$/);
    expect(lines.slice(21)).toEqual(["  and 10 more"]);
    expect(code).toBe(2);
  });
});

test("the mark that some editors write before a file, and Windows' line ends, hurt nobody", async () => {
  const path = await place();
  await writeFile(path, "\ufeffregion: eu-west-2\r\ndataPlane: false\r\n");
  const child = new Child("cli", ["simulate", "--scenario", path]);
  expect(await child.line(/REGION/)).toBe("export AWS_REGION=eu-west-2");
});
